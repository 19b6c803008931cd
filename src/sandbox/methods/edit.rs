//! Changing messages, and taking them back.

use super::super::call::Call;
use super::super::entities::{self, Formatted};
use super::super::error::ApiError;
use super::super::markup;
use super::super::media::{Checked, Source};
use super::super::message::{Kind, Message};
use super::super::render;
use super::{album, copy, send};
use serde_json::Value;

const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";

/// What an edit does to a message; a keyboard that is not given is taken away.
#[derive(Default)]
struct Change {
    text: Option<Formatted>,
    media: Option<Checked>,
    /// The options of this name are replaced by those.
    options: Option<(&'static [&'static str], Vec<String>)>,
}

/// `editMessageText`.
pub(super) fn text(call: &Call) -> Result<Value, ApiError> {
    let get = |name| call.arguments.text(name).unwrap_or("");
    let text = entities::parse(get("text"), get("parse_mode"), call.arguments.text("entities"))?;
    let text = send::checked_text(text)?;
    let target = target(call)?;
    if target.message.media.is_some() || target.message.content.is_some() {
        return Err(ApiError::bad("there is no text in the message to edit"));
    }
    change(call, target, Change { text: Some(text), ..Change::default() })
}

/// `editMessageCaption`; without a caption it is taken away.
pub(super) fn caption(call: &Call) -> Result<Value, ApiError> {
    const ABOVE: [&str; 1] = ["show_caption_above_media"];
    let caption = entities::caption(&call.arguments)?;
    let target = target(call)?;
    let Some(media) = &target.message.media else {
        return Err(ApiError::bad("there is no caption in the message to edit"));
    };
    let above = media.kind.is_visual() && call.arguments.flag(ABOVE[0]);
    let options = (&ABOVE[..], above.then(|| ABOVE[0].to_owned()).into_iter().collect());
    change(call, target, Change { text: Some(caption), options: Some(options), ..Change::default() })
}

/// `editMessageReplyMarkup`.
pub(super) fn reply_markup(call: &Call) -> Result<Value, ApiError> {
    change(call, target(call)?, Change::default())
}

/// `editMessageMedia`.
pub(super) async fn media(call: &Call) -> Result<Value, ApiError> {
    let text = call.arguments.text("media").ok_or_else(|| ApiError::bad("parameter \"media\" is required"))?;
    let value: Value = serde_json::from_str(text).map_err(|_| ApiError::bad("can't parse input media JSON object"))?;
    let item = album::item(call, &value, false)?;
    let target = target(call)?;
    if target.inline_id.is_some() && matches!(item.source, Source::File(_) | Source::Path(_)) {
        return Err(ApiError::bad("invalid message content specified"));
    }
    let role = |kind: Kind| kind.is_unsociable().then_some(kind);
    let old = target.message.media.as_ref().map(|media| media.kind);
    if target.message.media_group_id.is_some() && old.is_some_and(|old| role(old) != role(item.kind)) {
        return Err(ApiError::bad("can't change media type in the album"));
    }
    let checked = item.source.check(&call.state, call.bot, item.kind, item.detect, item.said).await?;
    call.pace().await?;
    let options = Some((&send::VISUAL[..], item.options));
    change(call, target, Change { text: Some(item.caption), media: Some(checked), options })
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
    let ids = copy::message_ids(call)?;
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

pub(super) fn message_id(call: &Call) -> Result<i64, ApiError> {
    let id = call.arguments.integer("message_id").filter(|id| *id != 0);
    id.ok_or_else(|| ApiError::bad("message identifier is not specified"))
}

/// The message to edit.
struct Target {
    message: Message,
    /// Its name, if it was sent through an inline answer.
    inline_id: Option<String>,
}

fn target(call: &Call) -> Result<Target, ApiError> {
    let arguments = &call.arguments;
    if arguments.text("chat_id").is_none() && arguments.integer("message_id").unwrap_or(0) == 0 {
        let inline_id = arguments.text("inline_message_id");
        let inline_id = inline_id.ok_or_else(|| ApiError::bad("message identifier is not specified"))?;
        let message = call.state.desk().inline.get(&(call.bot, inline_id.to_owned())).cloned();
        let message = message.ok_or_else(|| ApiError::bad("MESSAGE_ID_INVALID"))?;
        return Ok(Target { message, inline_id: Some(inline_id.to_owned()) });
    }
    let chat_id = super::chat(call, true)?;
    let message_id = message_id(call)?;
    let found = call.state.desk().log.find(call.bot, chat_id, message_id).cloned();
    let message = found.ok_or_else(|| ApiError::bad("message to edit not found"))?;
    Ok(Target { message, inline_id: None })
}

fn change(call: &Call, target: Target, change: Change) -> Result<Value, ApiError> {
    let state = &call.state;
    let old = target.message;
    let mut new = old.clone();
    new.reply_markup = markup::check(call.arguments.text("reply_markup"))?;
    if let Some(text) = change.text {
        new = send::with_caption(new, text);
    }
    if let Some((names, options)) = change.options {
        new.options.retain(|option| !names.contains(&option.as_str()));
        new.options.extend(options);
    }
    if let Some(checked) = &change.media {
        new.media = Some(checked.media.clone());
        new.content = None;
    }
    let content = |message: &Message| message.media.as_ref().map(|media| (media.kind, media.sha256));
    let same = new.caption == old.caption && new.entities == old.entities && new.options == old.options;
    if same && new.reply_markup == old.reply_markup && content(&new) == content(&old) {
        return Err(ApiError::bad(NOT_MODIFIED));
    }
    let mut desk = state.desk();
    let now = state.now();
    desk.admit(now, call.bot, old.chat_id, 1, true)?;
    if let Some(checked) = &change.media {
        send::keep(state, checked)?;
        desk.remember(call.bot, &checked.media);
    }
    new.edited_at_ms = Some(state.unix_millis(now));
    desk.stats.edited(&new, change.media.is_some());
    if let Some(inline_id) = target.inline_id {
        desk.inline.put((call.bot, inline_id), new);
        return Ok(true.into());
    }
    if desk.log.change(old.seq, |message| *message = new.clone()).is_none() {
        return Err(ApiError::bad("message to edit not found"));
    }
    state.publish(&new);
    Ok(render::message(&new, &desk, &state.store.secret))
}
