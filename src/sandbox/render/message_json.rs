//! Messages as the Bot API shows them.

use super::media_json;
use crate::sandbox::chats::{ChatDirectory, bot_json, is_channel};
use crate::sandbox::files::{FileIdWriter, MediaFiles};
use crate::sandbox::log::{ChatHistory, SandboxMessage};
use serde_json::{Map, Value};

/// A message in the Bot API's JSON, with the one that it answers if that is still kept.
pub fn message_json(
    message: &SandboxMessage,
    history: &ChatHistory,
    chats: &ChatDirectory,
    files: &MediaFiles,
) -> Value {
    let ids = files.file_ids(message.bot);
    let mut out = fields(message, chats, ids);
    let replied = message.reply_to_message_id.and_then(|id| match history.log.find(message.bot, message.chat_id, id) {
        Some(original) => Some(Value::Object(fields(original, chats, ids))),
        None => history.written.get(&(message.bot, message.chat_id, id)).cloned(),
    });
    if let Some(replied) = replied {
        out.insert("reply_to_message".to_owned(), replied);
    }
    Value::Object(out)
}

fn fields(message: &SandboxMessage, chats: &ChatDirectory, ids: FileIdWriter<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("message_id", message.message_id.into());
    if !is_channel(message.chat_id) {
        put("from", bot_json(message.bot));
    }
    put("chat", chats.json(message.chat_id));
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
        media_json::put(&mut out, media, ids);
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
