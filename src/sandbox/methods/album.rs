//! `sendMediaGroup`, and the media items that it shares with `editMessageMedia`.

use super::call::SandboxCall;
use super::media_argument::{MediaArgument, MediaDetails};
use super::send;
use crate::domain::markup::Formatted;
use crate::sandbox::content::{checked_caption, parse_field, text_field};
use crate::sandbox::log::FileKind;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Map, Value};

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
    let text = call.required("media")?;
    let value: Value = serde_json::from_str(text).map_err(|_| SandboxError::bad("can't parse media JSON object"))?;
    let Value::Array(values) = value else { return Err(SandboxError::bad("expected an Array of InputMedia")) };
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
        let mut message = head.clone().with_caption(item.caption);
        message.options.extend(item.options);
        message.media_group_id = album.clone();
        messages.push((message, Some(checked)));
    }
    call.pace().await?;
    send::post(call, messages).map(Value::Array)
}

/// Reads an `InputMedia`; not all of them can be in an album.
pub fn input_media(call: &SandboxCall, value: &Value, in_album: bool) -> ApiResult<InputMediaItem> {
    let wrong = |why: &str| SandboxError::bad(format!("can't parse InputMedia: {why}"));
    let Value::Object(fields) = value else { return Err(wrong("expected an Object")) };
    let caption = parse_field(fields, "caption", "caption_entities")?;
    let name = text_field(fields, "type");
    if name.is_empty() {
        return Err(wrong("Can't find field \"type\""));
    }
    let source = Some(text_field(fields, "media")).filter(|media| !media.is_empty());
    let source = source.and_then(|media| MediaArgument::of_text(media, call));
    let source = source.ok_or_else(|| wrong("media not found"))?;
    let kind = FileKind::of_input_media(name).ok_or_else(|| wrong(&format!("type \"{name}\" is unsupported")))?;
    if in_album && kind == FileKind::Animation {
        return Err(wrong("type \"animation\" can't be used in sendMediaGroup"));
    }
    let get = |name: &str| match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let flags = send::VISUAL_OPTIONS.iter().filter(|flag| kind.is_visual() && is_set(fields, flag));
    Ok(InputMediaItem {
        kind,
        source,
        details: MediaDetails::read(kind, &get, call),
        caption: checked_caption(caption)?,
        options: flags.map(|flag| (*flag).to_owned()).collect(),
        detect: kind != FileKind::Document || !is_set(fields, "disable_content_type_detection"),
    })
}

fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name) == Some(&Value::Bool(true))
}
