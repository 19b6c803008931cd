//! Sending one message.

use super::call::SandboxCall;
use super::media_argument::{MediaArgument, MediaDetails};
use crate::domain::markup::Formatted;
use crate::sandbox::arguments::{Json, SandboxArguments};
use crate::sandbox::chats::is_forum;
use crate::sandbox::content::{
    caption_of_arguments, check_reply_markup, checked_caption, checked_text, parse_text, text_of_arguments,
};
use crate::sandbox::files::CheckedMedia;
use crate::sandbox::log::{FileKind, SandboxMessage};
use crate::sandbox::render::message_json;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::Value;

/// The options of every message.
const MESSAGE_OPTIONS: [&str; 3] = ["disable_notification", "protect_content", "allow_paid_broadcast"];
/// The options of pictures and films.
pub const VISUAL_OPTIONS: [&str; 2] = ["has_spoiler", "show_caption_above_media"];

pub fn send_message(call: &SandboxCall) -> ApiResult<Value> {
    let text = text_of_arguments(&call.arguments)?;
    let head = message_head(call, "sendMessage")?;
    post_one(call, head.with_caption(checked_text(text)?), None)
}

/// A method that sends one picture or file.
pub async fn send_media(call: &SandboxCall, method: &'static str, kind: FileKind) -> ApiResult<Value> {
    let arguments = &call.arguments;
    let name = kind.field();
    let source = MediaArgument::of_argument(name, call)
        .ok_or_else(|| SandboxError::bad(format!("there is no {} in the request", name.replace('_', " "))))?;
    let caption = if kind.takes_caption() { caption_of_arguments(arguments)? } else { Formatted::default() };
    let mut message = message_head(call, method)?;
    let caption = checked_caption(caption)?;
    message.options.extend(flags(if kind.is_visual() { &VISUAL_OPTIONS } else { &[] }, arguments));
    let get = |name: &str| {
        let file = || arguments.file(name).map(|_| format!("attach://{name}"));
        arguments.text(name).map(str::to_owned).or_else(file)
    };
    let details = MediaDetails::read(kind, &get, call);
    let detect = kind != FileKind::Document || !arguments.flag("disable_content_type_detection");
    let checked = source.check(call, kind, detect, details).await?;
    call.pace().await?;
    post_one(call, message.with_caption(caption), Some(checked))
}

/// Those of the flags that are set.
pub fn flags(names: &[&str], arguments: &SandboxArguments) -> Vec<String> {
    names.iter().filter(|name| arguments.flag(name)).map(|name| (*name).to_owned()).collect()
}

/// A message with all but its content, checked in the order in which the Bot API server does.
pub fn message_head(call: &SandboxCall, method: &str) -> ApiResult<SandboxMessage> {
    let arguments = &call.arguments;
    // These have no keyboard; the argument is unknown there, and ignored.
    let bare = ["sendMediaGroup", "copyMessages", "forwardMessage", "forwardMessages"].contains(&method);
    let reply_markup = if bare { None } else { check_reply_markup(arguments.bytes("reply_markup"))? };
    let reply = ReplyTo::read(arguments)?;
    let chat_id = call.chat(true)?;
    Ok(SandboxMessage {
        reply_markup,
        reply_to_message_id: reply.find(call, chat_id)?,
        message_thread_id: topic(arguments, chat_id)?,
        options: flags(&MESSAGE_OPTIONS, arguments),
        ..SandboxMessage::new(call.bot, chat_id, method)
    })
}

/// Topics exist in forums only; groups without ignore them, private chats do not.
fn topic(arguments: &SandboxArguments, chat_id: i64) -> ApiResult<Option<i64>> {
    match arguments.integer("message_thread_id").filter(|topic| *topic != 0) {
        Some(topic) if is_forum(chat_id) && topic > 1 => Ok(Some(topic)),
        Some(_) if chat_id > 0 || is_forum(chat_id) => Err(SandboxError::bad("message thread not found")),
        _ => Ok(None),
    }
}

/// The message that is replied to.
#[derive(Default)]
struct ReplyTo {
    /// 0 if none is.
    message_id: i64,
    /// Whether it need not be there.
    lenient: bool,
}

impl ReplyTo {
    /// Reads `reply_parameters`, in which types are strict, or else the flat arguments of old.
    fn read(arguments: &SandboxArguments) -> ApiResult<Self> {
        if !arguments.has("reply_parameters") {
            let message_id = arguments.integer("reply_to_message_id").unwrap_or(0);
            return Ok(Self { message_id, lenient: arguments.flag("allow_sending_without_reply") });
        }
        if arguments.text("reply_parameters").is_none() {
            return Ok(Self::default());
        }
        let value = Json::parse(arguments.bytes("reply_parameters"));
        let value = value.ok_or_else(|| SandboxError::bad("can't parse reply parameters JSON object"))?;
        let Json::Object(reply) = value else {
            return Err(SandboxError::bad("object expected as reply parameters"));
        };
        if reply.is_empty() {
            return Ok(Self::default());
        }
        let read = || {
            reply.word("chat_id")?;
            let message_id = reply.required_integer("message_id")?;
            let lenient = reply.flag("allow_sending_without_reply")?;
            parse_text(&reply.text("quote")?, &reply.word("quote_parse_mode")?, reply.get("quote_entities"))?;
            reply.integer("quote_position")?;
            Ok(Self { message_id, lenient })
        };
        read().map_err(|why: String| SandboxError::sentence(&why))
    }

    /// The message's id, if it is in the chat.
    fn find(&self, call: &SandboxCall, chat_id: i64) -> ApiResult<Option<i64>> {
        if self.message_id <= 0 {
            return Ok(None);
        }
        let history = call.state.history.lock();
        let sent = history.log.find(call.bot, chat_id, self.message_id).is_some();
        match sent || history.written.get(&(call.bot, chat_id, self.message_id)).is_some() {
            true => Ok(Some(self.message_id)),
            false if self.lenient => Ok(None),
            false => Err(SandboxError::bad("message to be replied not found")),
        }
    }
}

/// Asks the rate limits, keeps the pictures and takes the messages, all at one moment.
pub fn post(call: &SandboxCall, messages: Vec<(SandboxMessage, Option<CheckedMedia>)>) -> ApiResult<Vec<Value>> {
    let state = &call.state;
    let mut history = state.history.lock();
    // Under the lock, so that the times are in the order of the log.
    let now = state.clock.now();
    if let Some((first, _)) = messages.first() {
        state.admit(now, call.bot, first.chat_id, messages.len(), false)?;
    }
    let mut posted = Vec::new();
    for (mut message, checked) in messages {
        message.at_ms = state.clock.unix_millis(now);
        if let Some(checked) = checked {
            state.files.keep(&checked)?;
            message.media = Some(checked.media);
        }
        message.message_id = history.next_message_id(message.bot);
        state.stats.lock().sent(now, &message);
        if let Some(media) = &message.media {
            state.files.remember(message.bot, media);
        }
        let message = history.log.push(message).clone();
        state.events.publish(&message);
        posted.push(message_json(&message, &history, &state.chats.lock(), &state.files));
    }
    Ok(posted)
}

/// The same for one message.
pub fn post_one(call: &SandboxCall, message: SandboxMessage, media: Option<CheckedMedia>) -> ApiResult<Value> {
    post(call, vec![(message, media)]).map(|mut posted| posted.pop().unwrap_or_default())
}
