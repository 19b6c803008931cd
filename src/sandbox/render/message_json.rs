//! Messages as the Bot API shows them.

use super::media_json::put_media;
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
    let mut put = |name: &str, value: Option<Value>| value.and_then(|value| out.insert(name.to_owned(), value));
    put("message_id", Some(message.message_id.into()));
    put("from", (!is_channel(message.chat_id)).then(|| bot_json(message.bot)));
    put("chat", Some(chats.json(message.chat_id)));
    put("date", Some((message.at_ms / 1000).into()));
    put("edit_date", message.edited_at_ms.map(|edited| (edited / 1000).into()));
    put("message_thread_id", message.message_thread_id.map(Value::from));
    put("is_topic_message", message.message_thread_id.map(|_| true.into()));
    put("forward_origin", message.forward_origin.as_deref().cloned());
    put("media_group_id", message.media_group_id.as_deref().map(Value::from));
    if let Some(media) = &message.media {
        put_media(media, ids, &mut put);
    }
    for (name, value) in message.content.iter().flat_map(|content| content.iter()) {
        put(name, Some(value.clone()));
    }
    let (text, entities) = if message.media.is_some() { ("caption", "caption_entities") } else { ("text", "entities") };
    put(text, message.caption.as_deref().map(Value::from));
    put(entities, (!message.entities.is_empty()).then(|| Value::Array(message.entities.clone())));
    for option in &message.options {
        match option.as_str() {
            "protect_content" => put("has_protected_content", Some(true.into())),
            "has_spoiler" => put("has_media_spoiler", Some(true.into())),
            "show_caption_above_media" => put("show_caption_above_media", Some(true.into())),
            _ => None,
        };
    }
    put("reply_markup", message.reply_markup.as_deref().cloned());
    out
}
