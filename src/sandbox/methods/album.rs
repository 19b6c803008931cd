//! `sendMediaGroup`, and the media items that it shares with `editMessageMedia`.

use super::super::call::Call;
use super::super::entities::{self, Formatted};
use super::super::error::ApiError;
use super::super::media::{Particulars, Source};
use super::super::message::Kind;
use super::send;
use serde_json::{Map, Value};

/// The most items of an album (Bot API).
const MAX_ITEMS: usize = 10;

/// An `InputMedia`.
pub(super) struct Item {
    pub kind: Kind,
    pub source: Source,
    pub said: Particulars,
    pub caption: Formatted,
    pub options: Vec<String>,
    pub detect: bool,
}

/// `sendMediaGroup`.
pub(super) async fn send(call: &Call) -> Result<Value, ApiError> {
    let arguments = &call.arguments;
    let text = arguments.text("media").ok_or_else(|| ApiError::bad("parameter \"media\" is required"))?;
    let value: Value = serde_json::from_str(text).map_err(|_| ApiError::bad("can't parse media JSON object"))?;
    let Value::Array(values) = value else { return Err(ApiError::bad("expected an Array of InputMedia")) };
    let items = values.iter().map(|value| item(call, value, true)).collect::<Result<Vec<_>, _>>()?;
    let envelope = send::envelope(call, "sendMediaGroup")?;
    if items.is_empty() {
        return Err(ApiError::bad("there are no messages to send"));
    }
    if items.len() > MAX_ITEMS {
        return Err(ApiError::bad("too many messages to send as an album"));
    }
    if let Some(loner) =
        items.iter().find(|item| item.kind.is_unsociable() && !items.iter().all(|i| i.kind == item.kind))
    {
        return Err(ApiError::bad(format!("{} can't be mixed with other media types", loner.kind.field())));
    }
    let above = |item: &Item| item.options.iter().any(|option| option == "show_caption_above_media");
    if items.iter().any(|item| above(item) != above(&items[0])) {
        return Err(ApiError::bad("parameter show_caption_above_media must be the same for all messages"));
    }
    let mut messages = Vec::new();
    let album = (items.len() > 1).then(|| call.state.desk().next_album());
    for (index, item) in items.into_iter().enumerate() {
        let checked = item.source.check(&call.state, call.bot, item.kind, false, item.said).await;
        let checked = checked.map_err(|error| error.of_item(index + 1))?;
        let mut message = send::with_caption(envelope.clone(), item.caption);
        message.options.extend(item.options);
        message.media_group_id = album.as_deref().map(Into::into);
        messages.push((message, Some(checked)));
    }
    call.pace().await?;
    send::post(call, messages).map(Value::Array)
}

/// Reads an `InputMedia`; not all of them can be in an album.
pub(super) fn item(call: &Call, value: &Value, in_album: bool) -> Result<Item, ApiError> {
    let (arguments, state) = (&call.arguments, &call.state);
    let wrong = |why: &str| ApiError::bad(format!("can't parse InputMedia: {why}"));
    let Value::Object(fields) = value else { return Err(wrong("expected an Object")) };
    let list = fields.get("caption_entities").map(Value::to_string);
    let caption = entities::parse(text(fields, "caption"), text(fields, "parse_mode"), list.as_deref())?;
    let name = text(fields, "type");
    if name.is_empty() {
        return Err(wrong("Can't find field \"type\""));
    }
    let source = Some(text(fields, "media")).filter(|media| !media.is_empty());
    let source = source.and_then(|media| Source::of_text(media, arguments, state));
    let source = source.ok_or_else(|| wrong("media not found"))?;
    let kind = Kind::of_input_media(name).ok_or_else(|| wrong(&format!("type \"{name}\" is unsupported")))?;
    if in_album && kind == Kind::Animation {
        return Err(wrong("type \"animation\" can't be used in sendMediaGroup"));
    }
    let get = |name: &str| match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let flags = ["has_spoiler", "show_caption_above_media"];
    let flags = flags.iter().filter(|flag| kind.is_visual() && is_set(fields, flag));
    Ok(Item {
        kind,
        source,
        said: Particulars::read(kind, &get, arguments, state),
        caption: entities::checked_caption(caption)?,
        options: flags.map(|flag| (*flag).to_owned()).collect(),
        detect: kind != Kind::Document || !is_set(fields, "disable_content_type_detection"),
    })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name) == Some(&Value::Bool(true))
}
