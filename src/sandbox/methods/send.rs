//! Sending one message.

use super::super::arguments::Arguments;
use super::super::call::Call;
use super::super::entities::{self, Formatted, MAX_TEXT};
use super::super::error::ApiError;
use super::super::markup;
use super::super::media::{Checked, Source};
use super::super::message::{Kind, Message};
use super::super::render::{self, Pen};
use super::super::{State, chats};
use serde_json::Value;

/// The largest thumbnail, in bytes (TDLib).
const MAX_THUMBNAIL: u64 = 204_799;
const OPTIONS: [&str; 4] = ["disable_notification", "protect_content", "has_spoiler", "show_caption_above_media"];

/// `sendMessage`.
pub(super) async fn text(call: &Call) -> Result<Value, ApiError> {
    let arguments = &call.arguments;
    let get = |name| arguments.text(name).unwrap_or("");
    let text = entities::parse(get("text"), get("parse_mode"), arguments.text("entities"))?;
    let text = checked_text(text)?;
    let message = envelope(call, "sendMessage")?;
    post(call, vec![(with_caption(message, text), None)]).map(one)
}

/// Refuses an empty text and one that is too long.
pub(super) fn checked_text(text: Formatted) -> Result<Formatted, ApiError> {
    if text.text.is_empty() {
        return Err(ApiError::bad("message text is empty"));
    }
    if text.text.chars().count() > MAX_TEXT {
        return Err(ApiError::bad("message is too long"));
    }
    Ok(text)
}

/// A method that sends one picture or file.
pub(super) async fn media(
    call: &Call,
    method: &'static str,
    name: &'static str,
    kind: Kind,
) -> Result<Value, ApiError> {
    let arguments = &call.arguments;
    let source = Source::of_argument(name, arguments)
        .ok_or_else(|| ApiError::bad(format!("there is no {name} in the request")))?;
    let caption = entities::caption(arguments)?;
    let message = envelope(call, method)?;
    thumbnail(arguments)?;
    let detect = !arguments.flag("disable_content_type_detection");
    let checked = source.check(&call.state, call.bot, kind, detect).await?;
    call.pace().await?;
    post(call, vec![(with_caption(message, caption), Some(checked))]).map(one)
}

fn thumbnail(arguments: &Arguments) -> Result<(), ApiError> {
    let Some(Source::File(file)) = Source::of_argument("thumbnail", arguments) else { return Ok(()) };
    if file.bytes > MAX_THUMBNAIL {
        let n = file.bytes;
        let text =
            format!("file of size {n} bytes is too big for a thumbnail; the maximum size is {MAX_THUMBNAIL} bytes");
        return Err(ApiError::bad(text));
    }
    Ok(())
}

/// A message with all but its content, checked in the order in which the Bot API server does.
pub(super) fn envelope(call: &Call, method: &str) -> Result<Message, ApiError> {
    let arguments = &call.arguments;
    // An album has no keyboard; the argument is unknown there, and ignored.
    let album = method == "sendMediaGroup";
    let reply_markup = if album { None } else { markup::check(arguments.text("reply_markup"))? };
    let chat_id = super::chat(call, true)?;
    Ok(Message {
        seq: 0,
        at_ms: 0,
        bot: call.bot,
        chat_id,
        message_id: 0,
        method: method.to_owned(),
        caption: None,
        entities: Vec::new(),
        media: None,
        reply_markup,
        reply_to_message_id: reply_to(call, chat_id)?,
        message_thread_id: topic(arguments, chat_id)?,
        media_group_id: None,
        options: OPTIONS.iter().filter(|option| arguments.flag(option)).map(|option| (*option).to_owned()).collect(),
        edited_at_ms: None,
        deleted: false,
    })
}

/// Topics exist in forums only; groups without ignore them, private chats do not.
fn topic(arguments: &Arguments, chat_id: i64) -> Result<Option<i64>, ApiError> {
    match arguments.integer("message_thread_id").filter(|topic| *topic != 0) {
        Some(topic) if chats::is_forum(chat_id) && topic > 1 => Ok(Some(topic)),
        Some(_) if chat_id > 0 || chats::is_forum(chat_id) => Err(ApiError::bad("message thread not found")),
        _ => Ok(None),
    }
}

fn reply_to(call: &Call, chat_id: i64) -> Result<Option<i64>, ApiError> {
    let arguments = &call.arguments;
    let (message_id, lenient) = match arguments.text("reply_parameters") {
        Some(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(reply)) => {
                let lenient = reply.get("allow_sending_without_reply") == Some(&Value::Bool(true));
                (reply.get("message_id").and_then(Value::as_i64), lenient)
            }
            _ => return Err(ApiError::bad("can't parse reply parameters JSON object")),
        },
        None => (arguments.integer("reply_to_message_id"), arguments.flag("allow_sending_without_reply")),
    };
    let Some(message_id) = message_id.filter(|id| *id != 0) else { return Ok(None) };
    match call.state.desk().log.find(call.bot, chat_id, message_id) {
        Some(_) => Ok(Some(message_id)),
        None if lenient => Ok(None),
        None => Err(ApiError::bad("message to be replied not found")),
    }
}

pub(super) fn with_caption(mut message: Message, caption: Formatted) -> Message {
    message.caption = (!caption.text.is_empty()).then(|| caption.text.into());
    message.entities = caption.entities;
    message
}

/// Asks the limits, keeps the pictures and takes the messages, all at one moment.
pub(super) fn post(call: &Call, messages: Vec<(Message, Option<Checked>)>) -> Result<Vec<Value>, ApiError> {
    let state = &call.state;
    let mut desk = state.desk();
    // Under the lock, so that the times are in the order of the log.
    let now = state.now();
    if let Some((first, _)) = messages.first() {
        desk.admit(now, call.bot, first.chat_id, messages.len(), false)?;
    }
    let mut posted = Vec::new();
    for (mut message, checked) in messages {
        message.at_ms = state.unix_millis(now);
        if let Some(checked) = checked {
            keep(state, &checked)?;
            message.media = Some(checked.media);
        }
        let message = desk.post(now, message);
        state.publish(&message);
        let original = message.reply_to_message_id.and_then(|id| desk.log.find(call.bot, message.chat_id, id));
        let pen = Pen { secret: &state.store.secret, epoch: desk.epoch(call.bot) };
        posted.push(render::message(&message, original, pen));
    }
    Ok(posted)
}

/// Puts uploaded bytes among the pictures.
pub(super) fn keep(state: &State, checked: &Checked) -> Result<(), ApiError> {
    let Some(upload) = &checked.upload else { return Ok(()) };
    state.store.keep(upload).map_err(|e| {
        tracing::error!(error = %e, "the sandbox cannot keep a picture");
        ApiError::new(500, "Internal Server Error: the sandbox cannot write to its folder")
    })
}

fn one(mut messages: Vec<Value>) -> Value {
    messages.pop().unwrap_or_default()
}
