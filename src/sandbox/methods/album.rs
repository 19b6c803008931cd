//! `sendMediaGroup`, and the media items that it shares with `editMessageMedia`.

use super::call::SandboxCall;
use super::media_argument::{MediaArgument, MediaDetails};
use super::send;
use crate::domain::markup::Formatted;
use crate::sandbox::arguments::{Json, JsonObject};
use crate::sandbox::content::{NOT_UTF8, checked_caption, parse_field};
use crate::sandbox::log::FileKind;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::Value;

/// The most items of an album (Bot API).
const MAX_ALBUM_ITEMS: usize = 10;

pub struct InputMediaItem {
    pub kind: FileKind,
    pub source: MediaArgument,
    pub details: MediaDetails,
    pub caption: Formatted,
    pub options: Vec<String>,
    pub detect: bool,
}

pub async fn send_media_group(call: &SandboxCall) -> ApiResult<Value> {
    call.required("media")?;
    let value = Json::parse(call.arguments.bytes("media"));
    let value = value.ok_or_else(|| SandboxError::bad("can't parse media JSON object"))?;
    let Json::Array(values) = value else { return Err(SandboxError::bad("expected an Array of InputMedia")) };
    let items = values.iter().map(|value| input_media(call, value, true)).collect::<Result<Vec<_>, _>>()?;
    let head = send::message_head(call, "sendMediaGroup")?;
    if items.is_empty() {
        return Err(SandboxError::bad("there are no messages to send"));
    }
    if items.len() > MAX_ALBUM_ITEMS {
        return Err(SandboxError::bad("too many messages to send as an album"));
    }
    if let Some(alone) =
        items.iter().find(|item| item.kind.mixes_with_no_other() && !items.iter().all(|i| i.kind == item.kind))
    {
        return Err(SandboxError::bad(format!("{} can't be mixed with other media types", alone.kind.field())));
    }
    let above = |item: &InputMediaItem| item.options.iter().any(|option| option == "show_caption_above_media");
    if items.iter().any(|item| above(item) != above(&items[0])) {
        return Err(SandboxError::bad("parameter show_caption_above_media must be the same for all messages"));
    }
    let mut messages = Vec::new();
    let album = (items.len() > 1).then(|| call.state.history.lock().next_album_id());
    for (index, item) in items.into_iter().enumerate() {
        let checked = item.source.check(call, item.kind, false, item.details).await;
        let checked = checked.map_err(|error| error.of_item(index + 1))?;
        let mut message = head.clone().with_caption(checked_caption(item.caption)?);
        message.options.extend(item.options);
        message.media_group_id = album.clone();
        messages.push((message, Some(checked)));
    }
    call.pace().await?;
    send::post(call, messages).map(Value::Array)
}

/// Reads an `InputMedia`; not all of them can be in an album.
pub fn input_media(call: &SandboxCall, value: &Json, in_album: bool) -> ApiResult<InputMediaItem> {
    let item = match value {
        Json::Object(fields) => read_item(call, fields, in_album),
        _ => Err("expected an Object".to_owned()),
    };
    item.map_err(|why| match why.as_str() {
        NOT_UTF8 => SandboxError::sentence(&why),
        _ => SandboxError::bad(format!("can't parse InputMedia: {why}")),
    })
}

/// The fields in the order in which the Bot API server reads them, each by its type.
fn read_item(call: &SandboxCall, fields: &JsonObject, in_album: bool) -> Result<InputMediaItem, String> {
    let caption = parse_field(fields, "caption", "caption_entities")?;
    let above = fields.flag("show_caption_above_media")?;
    let spoiler = fields.flag("has_spoiler")?;
    let name = fields.required_word("type")?;
    let source = Some(fields.word("media")?).filter(|media| !media.is_empty());
    let source = source.and_then(|media| MediaArgument::of_text(&media, call)).ok_or("media not found")?;
    let thumbnail = fields.word("thumbnail")?;
    let kind = FileKind::of_input_media(&name).ok_or_else(|| format!("type \"{name}\" is unsupported"))?;
    if in_album && kind == FileKind::Animation {
        return Err("type \"animation\" can't be used in sendMediaGroup".to_owned());
    }
    let numbers: &[&str] = match kind {
        FileKind::Video => &["width", "height", "duration", "start_timestamp"],
        FileKind::Animation => &["width", "height", "duration"],
        FileKind::Audio => &["duration"],
        _ => &[],
    };
    for number in numbers {
        fields.integer(number)?;
    }
    if kind == FileKind::Video {
        fields.word("cover")?;
        fields.flag("supports_streaming")?;
    }
    let (title, performer) = match kind {
        FileKind::Audio => (fields.word("title")?, fields.word("performer")?),
        _ => Default::default(),
    };
    let fixed = kind == FileKind::Document && fields.flag("disable_content_type_detection")?;
    let get = |name: &str| match name {
        "thumbnail" => Some(thumbnail.clone()),
        "title" => Some(title.clone()),
        "performer" => Some(performer.clone()),
        number => fields.integer(number).ok().flatten().map(|number| number.to_string()),
    };
    let flags = [(spoiler, send::VISUAL_OPTIONS[0]), (above, send::VISUAL_OPTIONS[1])];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set && kind.is_visual());
    Ok(InputMediaItem {
        kind,
        source,
        details: MediaDetails::read(kind, &get, call),
        caption,
        options: flags.map(|(_, flag)| flag.to_owned()).collect(),
        detect: !fixed,
    })
}
