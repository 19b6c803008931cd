//! Sending messages again that are there already.

use super::super::call::Call;
use super::super::chats;
use super::super::entities;
use super::super::error::ApiError;
use super::super::media::Checked;
use super::super::message::{How, Message};
use super::{edit, send};
use serde_json::{Map, Value, json};

/// The most messages that one call copies, forwards or deletes (Bot API).
const MAX_IDS: usize = 100;

/// `copyMessage`; a caption that is given, if only an empty one, replaces the old one.
pub(super) fn copy(call: &Call) -> Result<Value, ApiError> {
    let from = from_chat(call)?;
    let caption = call.arguments.has("caption").then(|| entities::caption(&call.arguments)).transpose()?;
    let original = original(call, from, edit::message_id(call)?).ok_or_else(|| not_found("copy"))?;
    let envelope = send::envelope(call, "copyMessage")?;
    let (mut message, media) = again(envelope, original);
    if let (Some(caption), Some(_)) = (caption, &media) {
        message = send::with_caption(message, caption);
        message.options.extend(send::flags(&["show_caption_above_media"], &call.arguments));
        message.options.dedup();
    }
    let sent = send::post(call, vec![(message, media)]).map(send::one)?;
    Ok(json!({"message_id": sent["message_id"]}))
}

/// `forwardMessage`.
pub(super) fn forward(call: &Call) -> Result<Value, ApiError> {
    let from = from_chat(call)?;
    let original = original(call, from, edit::message_id(call)?).ok_or_else(|| not_found("forward"))?;
    let envelope = send::envelope(call, "forwardMessage")?;
    send::post(call, vec![forwarded(call, envelope, original)]).map(send::one)
}

/// `copyMessages` and `forwardMessages`: unknown ones are skipped, albums stay albums.
pub(super) fn many(call: &Call, method: &'static str) -> Result<Value, ApiError> {
    let from = from_chat(call)?;
    let ids = message_ids(call)?;
    let envelope = send::envelope(call, method)?;
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(ApiError::bad("message identifiers must be in a strictly increasing order"));
    }
    let mut messages = Vec::new();
    // The old album that the last message was of, and the new one that stands for it.
    let mut album: Option<(Box<str>, Box<str>)> = None;
    for original in ids.into_iter().filter_map(|id| original(call, from, id)) {
        let old = original.media_group_id.clone();
        let (mut message, media) = match method {
            "forwardMessages" => forwarded(call, envelope.clone(), original),
            _ => again(envelope.clone(), original),
        };
        if media.is_some() && call.arguments.flag("remove_caption") {
            (message.caption, message.entities) = (None, Vec::new());
        }
        album = old.map(|old| match album.take() {
            Some((last, new)) if last == old => (old, new),
            _ => (old, call.state.desk().next_album().into()),
        });
        message.media_group_id = album.as_ref().map(|(_, new)| new.clone());
        messages.push((message, media));
    }
    if messages.is_empty() {
        return Err(ApiError::bad("there are no messages to forward"));
    }
    let sent = send::post(call, messages)?;
    Ok(sent.iter().map(|message| json!({"message_id": message["message_id"]})).collect())
}

/// The argument `message_ids`.
pub(super) fn message_ids(call: &Call) -> Result<Vec<i64>, ApiError> {
    let text = call.arguments.text("message_ids");
    let text = text.ok_or_else(|| ApiError::bad("message identifiers are not specified"))?;
    let value: Value = serde_json::from_str(text).map_err(|_| ApiError::bad("can't parse message_ids JSON object"))?;
    let Value::Array(values) = value else { return Err(ApiError::bad("expected an Array of message identifiers")) };
    if values.len() > MAX_IDS {
        return Err(ApiError::bad("too many message identifiers specified"));
    }
    let ids = values.iter().map(|value| {
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => return Err(ApiError::bad("message identifier must be a Number")),
        };
        let number = number.ok_or_else(|| ApiError::bad("can't parse message identifier as a Number"))?;
        if number > 0 { Ok(number) } else { Err(ApiError::bad("invalid message identifier specified")) }
    });
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() { Err(ApiError::bad("message identifiers are not specified")) } else { Ok(ids) }
}

fn not_found(what: &str) -> ApiError {
    ApiError::bad(format!("message to {what} not found"))
}

fn from_chat(call: &Call) -> Result<i64, ApiError> {
    let text = call.arguments.text("from_chat_id");
    let text = text.ok_or_else(|| ApiError::bad("parameter \"from_chat_id\" is required"))?;
    super::chat_named(call, text, false)
}

/// A message that the bot sent, or that a user wrote to it.
fn original(call: &Call, chat_id: i64, message_id: i64) -> Option<Message> {
    let desk = call.state.desk();
    if let Some(sent) = desk.log.find(call.bot, chat_id, message_id) {
        return Some(sent.clone());
    }
    let written = desk.incoming.get(&(call.bot, chat_id, message_id))?;
    let mut message = Message::new(call.bot, chat_id, "");
    message.caption = written["text"].as_str().map(Into::into);
    message.entities = written["entities"].as_array().cloned().unwrap_or_default();
    let contact = written.get("contact").map(|contact| ("contact".to_owned(), contact.clone()));
    message.content = contact.map(|contact| Box::new(Map::from_iter([contact])));
    if message.caption.is_none() && message.content.is_none() {
        // A service message.
        return None;
    }
    let by_its_writer = json!({"type": "user", "date": written["date"], "sender_user": written["from"]});
    message.forward_origin = Some(Box::new(written.get("forward_origin").cloned().unwrap_or(by_its_writer)));
    Some(message)
}

/// The content of a message in the envelope of another.
fn again(envelope: Message, original: Message) -> (Message, Option<Checked>) {
    let media = original.media.map(|mut media| {
        media.how = How::FileId;
        Checked::known(media)
    });
    let mut message =
        Message { caption: original.caption, entities: original.entities, content: original.content, ..envelope };
    message.options.extend(original.options.into_iter().filter(|option| send::VISUAL.contains(&option.as_str())));
    (message, media)
}

fn forwarded(call: &Call, envelope: Message, original: Message) -> (Message, Option<Checked>) {
    let origin = original.forward_origin.clone().unwrap_or_else(|| {
        let date = original.at_ms / 1000;
        Box::new(if chats::is_channel(original.chat_id) {
            let chat = call.state.desk().chats.json(original.chat_id);
            json!({"type": "channel", "date": date, "chat": chat, "message_id": original.message_id})
        } else {
            json!({"type": "user", "date": date, "sender_user": chats::bot_json(original.bot)})
        })
    });
    let (message, media) = again(envelope, original);
    (Message { forward_origin: Some(origin), ..message }, media)
}
