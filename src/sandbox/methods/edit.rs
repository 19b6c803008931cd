//! Changing messages, and taking them back.

use super::super::call::Call;
use super::super::entities::{self, Formatted};
use super::super::error::ApiError;
use super::super::markup;
use super::super::media::Checked;
use super::super::message::{Kind, Message};
use super::super::render::{self, Pen};
use super::{album, send};
use serde_json::Value;

const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
/// The most messages that one call deletes (Bot API).
const MAX_DELETED: usize = 100;

/// `editMessageText`.
pub(super) fn text(call: &Call) -> Result<Value, ApiError> {
    let get = |name| call.arguments.text(name).unwrap_or("");
    let text = entities::parse(get("text"), get("parse_mode"), call.arguments.text("entities"))?;
    let text = send::checked_text(text)?;
    let message = target(call)?;
    if message.media.is_some() {
        return Err(ApiError::bad("there is no text in the message to edit"));
    }
    change(call, &message, text, None)
}

/// `editMessageCaption`; without a caption it is taken away.
pub(super) fn caption(call: &Call) -> Result<Value, ApiError> {
    let caption = entities::caption(&call.arguments)?;
    let message = target(call)?;
    if message.media.is_none() {
        return Err(ApiError::bad("there is no caption in the message to edit"));
    }
    change(call, &message, caption, None)
}

/// `editMessageMedia`.
pub(super) async fn media(call: &Call) -> Result<Value, ApiError> {
    let text = call.arguments.text("media").ok_or_else(|| ApiError::bad("parameter \"media\" is required"))?;
    let value: Value = serde_json::from_str(text).map_err(|_| ApiError::bad("can't parse input media JSON object"))?;
    let item = album::item(&value, &call.arguments)?;
    let message = target(call)?;
    let photo = |kind| kind == Kind::Photo;
    if message.media_group_id.is_some() && message.media.as_ref().is_some_and(|old| photo(old.kind) != photo(item.kind))
    {
        return Err(ApiError::bad("can't change media type in the album"));
    }
    let checked = item.source.check(&call.state, call.bot, item.kind, item.detect).await?;
    call.pace().await?;
    change(call, &message, item.caption, Some(checked))
}

/// `deleteMessage`.
pub(super) fn delete(call: &Call) -> Result<Value, ApiError> {
    let chat_id = super::chat(call, false)?;
    let message_id = message_id(call)?;
    match remove(call, chat_id, message_id) {
        true => Ok(true.into()),
        false => Err(ApiError::bad("message to delete not found")),
    }
}

/// `deleteMessages`; unknown ones are skipped.
pub(super) fn delete_many(call: &Call) -> Result<Value, ApiError> {
    let chat_id = super::chat(call, false)?;
    let text =
        call.arguments.text("message_ids").ok_or_else(|| ApiError::bad("message identifiers are not specified"))?;
    let ids: Vec<i64> =
        serde_json::from_str(text).map_err(|_| ApiError::bad("expected an Array of message identifiers"))?;
    if ids.len() > MAX_DELETED {
        return Err(ApiError::bad("too many message identifiers specified"));
    }
    for id in ids {
        remove(call, chat_id, id);
    }
    Ok(true.into())
}

fn remove(call: &Call, chat_id: i64, message_id: i64) -> bool {
    let mut desk = call.state.desk();
    let Some(seq) = desk.log.find(call.bot, chat_id, message_id).map(|message| message.seq) else { return false };
    if let Some(message) = desk.log.change(seq, |message| message.deleted = true) {
        call.state.publish(message);
    }
    desk.stats.deleted(1);
    true
}

fn message_id(call: &Call) -> Result<i64, ApiError> {
    let id = call.arguments.integer("message_id").filter(|id| *id != 0);
    id.ok_or_else(|| ApiError::bad("message identifier is not specified"))
}

/// The message to edit.
fn target(call: &Call) -> Result<Message, ApiError> {
    let chat_id = super::chat(call, true)?;
    let message_id = message_id(call)?;
    let found = call.state.desk().log.find(call.bot, chat_id, message_id).cloned();
    found.ok_or_else(|| ApiError::bad("message to edit not found"))
}

fn change(call: &Call, old: &Message, caption: Formatted, checked: Option<Checked>) -> Result<Value, ApiError> {
    let state = &call.state;
    let reply_markup = markup::check(call.arguments.text("reply_markup"))?;
    let mut new = send::with_caption(old.clone(), caption);
    new.reply_markup = reply_markup;
    if let Some(checked) = &checked {
        new.media = Some(checked.media.clone());
    }
    let content = |message: &Message| message.media.as_ref().map(|media| (media.kind, media.sha256));
    let same = new.caption == old.caption && new.entities == old.entities && new.reply_markup == old.reply_markup;
    if same && content(&new) == content(old) {
        return Err(ApiError::bad(NOT_MODIFIED));
    }
    let mut desk = state.desk();
    let now = state.now();
    desk.admit(now, call.bot, old.chat_id, 1, true)?;
    if let Some(checked) = &checked {
        send::keep(state, checked)?;
    }
    new.edited_at_ms = Some(state.unix_millis(now));
    desk.stats.edited(&new, checked.is_some());
    if desk.log.change(old.seq, |message| *message = new.clone()).is_none() {
        return Err(ApiError::bad("message to edit not found"));
    }
    state.publish(&new);
    let original = new.reply_to_message_id.and_then(|id| desk.log.find(call.bot, new.chat_id, id));
    let pen = Pen { secret: &state.store.secret, epoch: desk.epoch(call.bot) };
    Ok(render::message(&new, original, pen))
}
