//! `sendMediaGroup`, and the media items that it shares with `editMessageMedia`.

use super::super::arguments::Arguments;
use super::super::call::Call;
use super::super::entities::{self, Formatted};
use super::super::error::ApiError;
use super::super::media::Source;
use super::super::message::Kind;
use super::send;
use serde_json::{Map, Value};

/// The most items of an album (Bot API).
const MAX_ITEMS: usize = 10;

/// An `InputMedia`.
pub(super) struct Item {
    pub kind: Kind,
    pub source: Source,
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
    let mut items = values.iter().map(|value| item(value, arguments)).collect::<Result<Vec<_>, _>>()?;
    let envelope = send::envelope(call, "sendMediaGroup")?;
    if items.is_empty() {
        return Err(ApiError::bad("there are no messages to send"));
    }
    if items.len() > MAX_ITEMS {
        return Err(ApiError::bad("too many messages to send as an album"));
    }
    if items.iter().any(|item| item.kind != items[0].kind) {
        return Err(ApiError::bad("document can't be mixed with other media types"));
    }
    let above = |item: &Item| item.options.iter().any(|option| option == "show_caption_above_media");
    if items.iter().any(|item| above(item) != above(&items[0])) {
        return Err(ApiError::bad("parameter show_caption_above_media must be the same for all messages"));
    }
    let mut messages = Vec::new();
    let album = (items.len() > 1).then(|| call.state.desk().next_album());
    for (index, item) in items.drain(..).enumerate() {
        let checked = item.source.check(&call.state, call.bot, item.kind, false).await;
        let checked = checked.map_err(|error| error.of_item(index + 1))?;
        let mut message = send::with_caption(envelope.clone(), item.caption);
        message.options.extend(item.options);
        message.media_group_id = album.as_deref().map(Into::into);
        messages.push((message, Some(checked)));
    }
    call.pace().await?;
    send::post(call, messages).map(Value::Array)
}

/// Reads an `InputMedia` that is a photo or a document.
pub(super) fn item(value: &Value, arguments: &Arguments) -> Result<Item, ApiError> {
    let wrong = |why: &str| ApiError::bad(format!("can't parse InputMedia: {why}"));
    let Value::Object(fields) = value else { return Err(wrong("expected an Object")) };
    let kind = match text(fields, "type") {
        "photo" => Kind::Photo,
        "document" => Kind::Document,
        "" => return Err(wrong("Can't find field \"type\"")),
        "animation" => return Err(wrong("type \"animation\" can't be used in sendMediaGroup")),
        other => return Err(wrong(&format!("type \"{other}\" is not known to the sandbox"))),
    };
    let source = Some(text(fields, "media")).filter(|media| !media.is_empty());
    let source = source.and_then(|media| Source::of_text(media, arguments)).ok_or_else(|| wrong("media not found"))?;
    let list = fields.get("caption_entities").map(Value::to_string);
    let caption = entities::parse(text(fields, "caption"), text(fields, "parse_mode"), list.as_deref())?;
    let flags = ["has_spoiler", "show_caption_above_media"];
    Ok(Item {
        kind,
        source,
        caption: entities::checked_caption(caption)?,
        options: flags.iter().filter(|flag| is_set(fields, flag)).map(|flag| (*flag).to_owned()).collect(),
        detect: !is_set(fields, "disable_content_type_detection"),
    })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name) == Some(&Value::Bool(true))
}
