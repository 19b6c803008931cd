//! Editing and deleting messages.

use super::call::SandboxCall;
use super::media_argument::MediaArgument;
use super::{album, send};
use crate::domain::markup::Formatted;
use crate::sandbox::arguments::Json;
use crate::sandbox::content::{
    caption_of_arguments, check_reply_markup, checked_caption, checked_text, text_of_arguments,
};
use crate::sandbox::files::CheckedMedia;
use crate::sandbox::log::{FileKind, SandboxMessage};
use crate::sandbox::render::message_json;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::Value;

const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";

/// What an edit does to a message; a keyboard that is not given is taken away.
#[derive(Default)]
struct MessageEdit {
    text: Option<Formatted>,
    media: Option<CheckedMedia>,
    /// The options of this name are replaced by those.
    options: Option<(&'static [&'static str], Vec<String>)>,
}

pub fn edit_message_text(call: &SandboxCall) -> ApiResult<Value> {
    let text = text_of_arguments(&call.arguments)?;
    let target = target(call)?;
    if target.message.media.is_some() || target.message.content.is_some() {
        return Err(SandboxError::bad("there is no text in the message to edit"));
    }
    apply(call, target, MessageEdit { text: Some(checked_text(text)?), ..MessageEdit::default() })
}

/// `editMessageCaption`; without a caption it is taken away.
pub fn edit_message_caption(call: &SandboxCall) -> ApiResult<Value> {
    const ABOVE: [&str; 1] = ["show_caption_above_media"];
    let caption = caption_of_arguments(&call.arguments)?;
    let target = target(call)?;
    let Some(media) = &target.message.media else {
        return Err(SandboxError::bad("there is no caption in the message to edit"));
    };
    let above = media.kind.is_visual() && call.arguments.flag(ABOVE[0]);
    let options = (&ABOVE[..], above.then(|| ABOVE[0].to_owned()).into_iter().collect());
    let text = Some(checked_caption(caption)?);
    apply(call, target, MessageEdit { text, options: Some(options), ..MessageEdit::default() })
}

pub fn edit_message_reply_markup(call: &SandboxCall) -> ApiResult<Value> {
    apply(call, target(call)?, MessageEdit::default())
}

pub async fn edit_message_media(call: &SandboxCall) -> ApiResult<Value> {
    call.required("media")?;
    let value = Json::parse(call.arguments.bytes("media"));
    let value = value.ok_or_else(|| SandboxError::bad("can't parse input media JSON object"))?;
    let item = album::input_media(call, &value, false)?;
    let target = target(call)?;
    if target.inline_id.is_some() && matches!(item.source, MediaArgument::File(_) | MediaArgument::Path(_)) {
        return Err(SandboxError::bad("invalid message content specified"));
    }
    let role = |kind: FileKind| kind.mixes_with_no_other().then_some(kind);
    let old = target.message.media.as_ref().map(|media| media.kind);
    if target.message.media_group_id.is_some() && old.is_some_and(|old| role(old) != role(item.kind)) {
        return Err(SandboxError::bad("can't change media type in the album"));
    }
    let checked = item.source.check(call, item.kind, item.detect, item.details).await?;
    call.pace().await?;
    let options = Some((&send::VISUAL_OPTIONS[..], item.options));
    let text = Some(checked_caption(item.caption)?);
    apply(call, target, MessageEdit { text, media: Some(checked), options })
}

pub fn delete_message(call: &SandboxCall) -> ApiResult<Value> {
    let chat_id = call.chat(false)?;
    let message_id = call.message_id()?;
    match remove(call, chat_id, message_id) {
        true => Ok(true.into()),
        false => Err(SandboxError::bad("message to delete not found")),
    }
}

/// `deleteMessages`; unknown ones are skipped.
pub fn delete_messages(call: &SandboxCall) -> ApiResult<Value> {
    let chat_id = call.chat(false)?;
    let ids = call.message_ids()?;
    for id in ids {
        remove(call, chat_id, id);
    }
    Ok(true.into())
}

fn remove(call: &SandboxCall, chat_id: i64, message_id: i64) -> bool {
    let mut history = call.state.history.lock();
    let Some(seq) = history.log.find(call.bot, chat_id, message_id).map(|message| message.seq) else { return false };
    if let Some(message) = history.log.change(seq, |message| message.deleted = true) {
        call.state.events.publish(message);
    }
    call.state.stats.lock().deleted(1);
    true
}

struct EditTarget {
    message: SandboxMessage,
    /// Its id, if it was sent through an inline answer.
    inline_id: Option<String>,
}

fn target(call: &SandboxCall) -> ApiResult<EditTarget> {
    let arguments = &call.arguments;
    if arguments.text("chat_id").is_none() && arguments.integer("message_id").unwrap_or(0) == 0 {
        let inline_id = arguments.text("inline_message_id");
        let inline_id = inline_id.ok_or_else(|| SandboxError::bad("message identifier is not specified"))?;
        let message = call.state.history.lock().inline.get(&(call.bot, inline_id.to_owned())).cloned();
        let message = message.ok_or_else(|| SandboxError::bad("MESSAGE_ID_INVALID"))?;
        return Ok(EditTarget { message, inline_id: Some(inline_id.to_owned()) });
    }
    let chat_id = call.chat(true)?;
    let message_id = call.message_id()?;
    let found = call.state.history.lock().log.find(call.bot, chat_id, message_id).cloned();
    let message = found.ok_or_else(|| SandboxError::bad("message to edit not found"))?;
    Ok(EditTarget { message, inline_id: None })
}

fn apply(call: &SandboxCall, target: EditTarget, edit: MessageEdit) -> ApiResult<Value> {
    let state = &call.state;
    let old = target.message;
    let mut new = old.clone();
    new.reply_markup = check_reply_markup(call.arguments.bytes("reply_markup"))?;
    if let Some(text) = edit.text {
        new = new.with_caption(text);
    }
    if let Some((names, options)) = edit.options {
        new.options.retain(|option| !names.contains(&option.as_str()));
        new.options.extend(options);
    }
    if let Some(checked) = &edit.media {
        new.media = Some(checked.media.clone());
        new.content = None;
    }
    let content = |message: &SandboxMessage| message.media.as_ref().map(|media| (media.kind, media.sha256));
    let same = new.caption == old.caption && new.entities == old.entities && new.options == old.options;
    if same && new.reply_markup == old.reply_markup && content(&new) == content(&old) {
        return Err(SandboxError::bad(NOT_MODIFIED));
    }
    let mut history = state.history.lock();
    let now = state.clock.now();
    state.admit(now, call.bot, old.chat_id, 1, true)?;
    if let Some(checked) = &edit.media {
        state.files.keep(checked)?;
        state.files.remember(call.bot, &checked.media);
    }
    new.edited_at_ms = Some(state.clock.unix_millis(now));
    state.stats.lock().edited(&new, edit.media.is_some());
    if let Some(inline_id) = target.inline_id {
        history.inline.put((call.bot, inline_id), new);
        return Ok(true.into());
    }
    if history.log.change(old.seq, |message| *message = new.clone()).is_none() {
        return Err(SandboxError::bad("message to edit not found"));
    }
    state.events.publish(&new);
    Ok(message_json(&new, &history, &state.chats.lock(), &state.files))
}
