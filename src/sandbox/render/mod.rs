//! Messages as the Bot API shows them.

mod media;

pub(super) use media::extension;

use super::chats::{self, Chats};
use super::desk::Desk;
use super::file_id::Secret;
use super::message::Message;
use serde_json::{Map, Value};

/// What is needed to write a bot's file_ids.
#[derive(Clone, Copy)]
struct Pen<'a> {
    secret: &'a Secret,
    epoch: u32,
}

/// A message in the Bot API's words, with the one that it answers if that is still kept.
pub(super) fn message(message: &Message, desk: &Desk, secret: &Secret) -> Value {
    let pen = Pen { secret, epoch: desk.epoch(message.bot) };
    let mut out = fields(message, &desk.chats, pen);
    let replied = message.reply_to_message_id.and_then(|id| match desk.log.find(message.bot, message.chat_id, id) {
        Some(original) => Some(Value::Object(fields(original, &desk.chats, pen))),
        None => desk.incoming.get(&(message.bot, message.chat_id, id)).cloned(),
    });
    if let Some(replied) = replied {
        out.insert("reply_to_message".to_owned(), replied);
    }
    Value::Object(out)
}

fn fields(message: &Message, known: &Chats, pen: Pen<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("message_id", message.message_id.into());
    if !chats::is_channel(message.chat_id) {
        put("from", chats::bot_json(message.bot));
    }
    put("chat", known.json(message.chat_id));
    put("date", (message.at_ms / 1000).into());
    if let Some(edited) = message.edited_at_ms {
        put("edit_date", (edited / 1000).into());
    }
    if let Some(topic) = message.message_thread_id {
        put("message_thread_id", topic.into());
        put("is_topic_message", true.into());
    }
    if let Some(origin) = &message.forward_origin {
        put("forward_origin", origin.as_ref().clone());
    }
    if let Some(album) = &message.media_group_id {
        put("media_group_id", album.as_ref().into());
    }
    if let Some(media) = &message.media {
        media::put(&mut out, media, message.bot, pen);
    }
    for (name, value) in message.content.iter().flat_map(|content| content.iter()) {
        out.insert(name.clone(), value.clone());
    }
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    let (text, entities) = if message.media.is_some() { ("caption", "caption_entities") } else { ("text", "entities") };
    if let Some(caption) = &message.caption {
        put(text, caption.as_ref().into());
    }
    if !message.entities.is_empty() {
        put(entities, Value::Array(message.entities.clone()));
    }
    for option in &message.options {
        match option.as_str() {
            "protect_content" => put("has_protected_content", true.into()),
            "has_spoiler" => put("has_media_spoiler", true.into()),
            "show_caption_above_media" => put("show_caption_above_media", true.into()),
            _ => {}
        }
    }
    if let Some(markup) = &message.reply_markup {
        put("reply_markup", markup.as_ref().clone());
    }
    out
}
