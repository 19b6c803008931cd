//! Copying and forwarding messages.

use super::call::SandboxCall;
use super::send;
use crate::sandbox::chats::{bot_json, is_channel};
use crate::sandbox::content::{caption_of_arguments, checked_caption};
use crate::sandbox::files::CheckedMedia;
use crate::sandbox::log::{MediaOrigin, SandboxMessage};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Map, Value, json};

/// `copyMessage`; a caption that is given, if only an empty one, replaces the old one.
pub fn copy_message(call: &SandboxCall) -> ApiResult<Value> {
    let from = from_chat(call)?;
    let caption = call.arguments.has("caption").then(|| caption_of_arguments(&call.arguments)).transpose()?;
    let original = original(call, from, call.message_id()?).ok_or_else(|| not_found("copy"))?;
    let head = send::message_head(call, "copyMessage")?;
    let (mut message, media) = resent(head, original);
    if let (Some(caption), Some(_)) = (caption, &media) {
        message = message.with_caption(checked_caption(caption)?);
        message.options.extend(send::flags(&["show_caption_above_media"], &call.arguments));
        message.options.dedup();
    }
    let sent = send::post_one(call, message, media)?;
    Ok(json!({"message_id": sent["message_id"]}))
}

pub fn forward_message(call: &SandboxCall) -> ApiResult<Value> {
    let from = from_chat(call)?;
    let original = original(call, from, call.message_id()?).ok_or_else(|| not_found("forward"))?;
    let head = send::message_head(call, "forwardMessage")?;
    let (message, media) = forwarded(call, head, original);
    send::post_one(call, message, media)
}

/// `copyMessages` and `forwardMessages`: unknown ones are skipped, albums stay albums.
pub fn copy_messages(call: &SandboxCall, method: &'static str) -> ApiResult<Value> {
    let from = from_chat(call)?;
    let ids = call.message_ids()?;
    let head = send::message_head(call, method)?;
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(SandboxError::bad("message identifiers must be in a strictly increasing order"));
    }
    let mut messages = Vec::new();
    // The old album that the last message was of, and the new one that stands for it.
    let mut album: Option<(Box<str>, Box<str>)> = None;
    for original in ids.into_iter().filter_map(|id| original(call, from, id)) {
        let old = original.media_group_id.clone();
        let (mut message, media) = match method {
            "forwardMessages" => forwarded(call, head.clone(), original),
            _ => resent(head.clone(), original),
        };
        if media.is_some() && call.arguments.flag("remove_caption") {
            (message.caption, message.entities) = (None, Vec::new());
        }
        album = old.map(|old| match album.take() {
            Some((last, new)) if last == old => (old, new),
            _ => (old, call.state.history.lock().next_album_id()),
        });
        message.media_group_id = album.as_ref().map(|(_, new)| new.clone());
        messages.push((message, media));
    }
    if messages.is_empty() {
        return Err(SandboxError::bad("there are no messages to forward"));
    }
    let sent = send::post(call, messages)?;
    Ok(sent.iter().map(|message| json!({"message_id": message["message_id"]})).collect())
}

fn not_found(what: &str) -> SandboxError {
    SandboxError::bad(format!("message to {what} not found"))
}

fn from_chat(call: &SandboxCall) -> ApiResult<i64> {
    call.chat_named(call.required("from_chat_id")?, false)
}

/// A message that the bot sent, or that a user wrote to it.
fn original(call: &SandboxCall, chat_id: i64, message_id: i64) -> Option<SandboxMessage> {
    let history = call.state.history.lock();
    if let Some(sent) = history.log.find(call.bot, chat_id, message_id) {
        return Some(sent.clone());
    }
    let written = history.written.get(&(call.bot, chat_id, message_id))?;
    let mut message = SandboxMessage::new(call.bot, chat_id, "");
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

/// The content of a message under the head of another.
fn resent(head: SandboxMessage, original: SandboxMessage) -> (SandboxMessage, Option<CheckedMedia>) {
    let media = original.media.map(|mut media| {
        media.how = MediaOrigin::FileId;
        CheckedMedia::known(media)
    });
    let mut message =
        SandboxMessage { caption: original.caption, entities: original.entities, content: original.content, ..head };
    message
        .options
        .extend(original.options.into_iter().filter(|option| send::VISUAL_OPTIONS.contains(&option.as_str())));
    (message, media)
}

fn forwarded(
    call: &SandboxCall,
    head: SandboxMessage,
    original: SandboxMessage,
) -> (SandboxMessage, Option<CheckedMedia>) {
    let origin = original.forward_origin.clone().unwrap_or_else(|| {
        let date = original.at_ms / 1000;
        Box::new(if is_channel(original.chat_id) {
            let chat = call.state.chats.lock().json(original.chat_id);
            json!({"type": "channel", "date": date, "chat": chat, "message_id": original.message_id})
        } else {
            json!({"type": "user", "date": date, "sender_user": bot_json(original.bot)})
        })
    });
    let (message, media) = resent(head, original);
    (SandboxMessage { forward_origin: Some(origin), ..message }, media)
}
