//! Sending one message.

use super::super::arguments::Arguments;
use super::super::call::Call;
use super::super::entities::{self, Formatted, MAX_TEXT};
use super::super::error::ApiError;
use super::super::markup;
use super::super::media::{Checked, Particulars, Source};
use super::super::message::{Kind, Message};
use super::super::render;
use super::super::{State, chats};
use serde_json::Value;

const OPTIONS: [&str; 3] = ["disable_notification", "protect_content", "allow_paid_broadcast"];
/// Those of pictures and films.
pub(super) const VISUAL: [&str; 2] = ["has_spoiler", "show_caption_above_media"];

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
pub(super) async fn media(call: &Call, method: &'static str, kind: Kind) -> Result<Value, ApiError> {
    let (arguments, state) = (&call.arguments, &call.state);
    let name = kind.field();
    let source = Source::of_argument(name, arguments, state)
        .ok_or_else(|| ApiError::bad(format!("there is no {} in the request", name.replace('_', " "))))?;
    let caption = if kind.takes_caption() { entities::caption(arguments)? } else { Formatted::default() };
    let mut message = envelope(call, method)?;
    message.options.extend(flags(if kind.is_visual() { &VISUAL } else { &[] }, arguments));
    let get = |name: &str| {
        let file = || arguments.file(name).map(|_| format!("attach://{name}"));
        arguments.text(name).map(str::to_owned).or_else(file)
    };
    let said = Particulars::read(kind, &get, arguments, state);
    let detect = kind != Kind::Document || !arguments.flag("disable_content_type_detection");
    let checked = source.check(state, call.bot, kind, detect, said).await?;
    call.pace().await?;
    post(call, vec![(with_caption(message, caption), Some(checked))]).map(one)
}

pub(super) fn flags(names: &[&str], arguments: &Arguments) -> Vec<String> {
    names.iter().filter(|name| arguments.flag(name)).map(|name| (*name).to_owned()).collect()
}

/// A message with all but its content, checked in the order in which the Bot API server does.
pub(super) fn envelope(call: &Call, method: &str) -> Result<Message, ApiError> {
    let arguments = &call.arguments;
    // These have no keyboard; the argument is unknown there, and ignored.
    let bare = ["sendMediaGroup", "copyMessages", "forwardMessage", "forwardMessages"].contains(&method);
    let reply_markup = if bare { None } else { markup::check(arguments.text("reply_markup"))? };
    let chat_id = super::chat(call, true)?;
    Ok(Message {
        reply_markup,
        reply_to_message_id: reply_to(call, chat_id)?,
        message_thread_id: topic(arguments, chat_id)?,
        options: flags(&OPTIONS, arguments),
        ..Message::new(call.bot, chat_id, method)
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
    let desk = call.state.desk();
    let sent = desk.log.find(call.bot, chat_id, message_id).is_some();
    match sent || desk.incoming.get(&(call.bot, chat_id, message_id)).is_some() {
        true => Ok(Some(message_id)),
        false if lenient => Ok(None),
        false => Err(ApiError::bad("message to be replied not found")),
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
        posted.push(render::message(&message, &desk, &state.store.secret));
    }
    Ok(posted)
}

/// Puts uploaded bytes among the pictures.
pub(super) fn keep(state: &State, checked: &Checked) -> Result<(), ApiError> {
    checked.uploads.iter().try_for_each(|upload| state.store.keep(upload)).map_err(|e| {
        tracing::error!(error = %e, "the sandbox cannot keep a picture");
        ApiError::new(500, "Internal Server Error: the sandbox cannot write to its folder")
    })
}

pub(super) fn one(mut messages: Vec<Value>) -> Value {
    messages.pop().unwrap_or_default()
}
