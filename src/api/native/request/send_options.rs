//! What every request may say about how it is sent: bot, destination, time, priority, guarantee.

use super::fields::{Fields, MAX_TAGS, invalid_tags, parsed};
use super::recipient;
use crate::domain::{Address, BotName, CallbackUrl, ChatId, DeliveryGuarantee, InvalidIdError, Lane, Timestamp};
use crate::intake::configured_bot;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::DEFAULT_LIFETIME;
use serde_json::Value;
use std::time::Duration;

/// How far ahead `send_at` may lie.
pub const SEND_AT_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How far ahead `expires_at` may lie.
pub const EXPIRES_AT_LIMIT: Duration = Duration::from_secs(31 * 24 * 3600);
/// The longest that a caller may wait for the outcome, in seconds: proxies between us give up after a minute.
pub const WAIT_LIMIT_SECONDS: i64 = 60;
/// The longest tag.
pub const TAG_LIMIT_CHARS: usize = 64;

/// How a notification is sent.
#[derive(Debug)]
pub struct SendOptions {
    /// Its lane.
    pub lane: Lane,
    /// Whether to send again when it is not known whether it was sent.
    pub delivery: DeliveryGuarantee,
    /// The caller's labels.
    pub tags: Vec<String>,
    /// When the request was read.
    pub received_at: Timestamp,
    /// When to send it, if asked for; may have passed.
    pub send_at: Option<Timestamp>,
    /// When it expires, if asked for; may have passed.
    pub expires_at: Option<Timestamp>,
    /// Who is told how it ends, if somebody is named.
    pub callback_url: Option<CallbackUrl>,
    /// How long the caller waits for the outcome.
    pub wait: Duration,
}

impl SendOptions {
    /// Takes the fields that hold the options.
    pub fn read(fields: &mut Fields, now: Timestamp) -> Result<Self, Rejection> {
        let lanes = Lane::ALL.map(|lane| (lane.as_str(), lane));
        let lane = fields.choice("priority", &lanes)?.unwrap_or_default();
        let guarantees =
            [("at_least_once", DeliveryGuarantee::AtLeastOnce), ("at_most_once", DeliveryGuarantee::AtMostOnce)];
        let delivery = fields.choice("delivery", &guarantees)?.unwrap_or_default();
        let tags = tags(fields)?;
        let (send_at, expires_at) = times(fields, now)?;
        let callback_url = callback_url(fields)?;
        let seconds = fields.number("wait", 0, WAIT_LIMIT_SECONDS)?.and_then(|seconds| seconds.as_u64());
        let wait = Duration::from_secs(seconds.unwrap_or(0));
        Ok(Self { lane, delivery, tags, received_at: now, send_at, expires_at, callback_url, wait })
    }

    /// The moment before which it is not sent, if that is still ahead.
    pub fn due(&self) -> Option<Timestamp> {
        self.send_at.filter(|at| *at > self.received_at)
    }

    /// The moment after which it is not sent.
    pub fn expiry(&self) -> Timestamp {
        self.expires_at.unwrap_or_else(|| self.due().unwrap_or(self.received_at).plus(DEFAULT_LIFETIME))
    }
}

fn callback_url(fields: &mut Fields) -> Result<Option<CallbackUrl>, Rejection> {
    let Some(text) = fields.text("callback_url")? else { return Ok(None) };
    CallbackUrl::parse(&text).map(Some).map_err(|error| Rejection::invalid("callback_url", error.0))
}

/// Takes `bot`: the configured bot that it names, `default` without it.
pub fn bot(fields: &mut Fields, is_bot: impl Fn(&BotName) -> bool) -> Result<BotName, Rejection> {
    configured_bot(fields.text("bot")?.as_deref(), is_bot)
}

/// Where a notification goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// A chat.
    Chat(ChatId),
    /// A person or group whose chat is in the recipient book.
    Recipient(Address),
}

/// Takes the destination: `chat_id`, or `recipient` in its place.
pub fn destination(fields: &mut Fields) -> Result<Destination, Rejection> {
    let text = match (fields.take("chat_id"), fields.take("recipient")) {
        (None, None) => {
            let detail = "chat_id is missing: the number of a chat, or the @username of a public group or channel; or \
                          recipient in its place.";
            return Err(Rejection::field(ProblemCode::MissingField, "chat_id", detail));
        }
        (None, Some(recipient)) => return recipient::read(recipient).map(Destination::Recipient),
        (Some(_), Some(_)) => {
            return Err(Rejection::invalid("recipient", "stands in place of chat_id: give one of the two"));
        }
        (Some(Value::String(text)), None) => text,
        (Some(Value::Number(number)), None) => number.to_string(),
        (Some(_), None) => String::new(),
    };
    let chat: Result<ChatId, InvalidIdError> = text.parse();
    chat.map(Destination::Chat).map_err(|error| {
        let has_space = text.trim().parse::<ChatId>().is_ok();
        let advice = if has_space { " Write it without the white space round it." } else { "" };
        Rejection::field(ProblemCode::InvalidChatId, "chat_id", format!("{error}.{advice}"))
    })
}

fn tags(fields: &mut Fields) -> Result<Vec<String>, Rejection> {
    let given = match fields.take("tags") {
        None => return Ok(Vec::new()),
        Some(Value::Array(parts)) if fields.is_form() => match parts.as_slice() {
            [Value::String(text)] if text.is_empty() => return Ok(Vec::new()),
            [Value::String(text)] if text.starts_with('[') => parsed("tags", text)?,
            _ => parts,
        },
        Some(Value::Array(tags)) => tags,
        Some(_) => return Err(Rejection::invalid("tags", "is an array of strings")),
    };
    let tags: Option<Vec<String>> = given.iter().map(|tag| tag.as_str().map(ToOwned::to_owned)).collect();
    tags.filter(|tags| tags.len() <= MAX_TAGS)
        .filter(|tags| tags.iter().all(|tag| (1..=TAG_LIMIT_CHARS).contains(&tag.chars().count())))
        .ok_or_else(invalid_tags)
}

/// Takes `send_at` and `expires_at`.
fn times(fields: &mut Fields, now: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>), Rejection> {
    let send_at = fields.timestamp("send_at")?;
    if send_at.is_some_and(|at| at > now.plus(SEND_AT_LIMIT)) {
        return Err(Rejection::invalid("send_at", "lies more than 30 days ahead"));
    }
    let expires_at = fields.timestamp("expires_at")?;
    match expires_at {
        Some(at) if at > now.plus(EXPIRES_AT_LIMIT) => {
            Err(Rejection::invalid("expires_at", "lies more than 31 days ahead"))
        }
        Some(at) if send_at.is_some_and(|due| at <= due) => {
            Err(Rejection::invalid("expires_at", "is not after send_at"))
        }
        _ => Ok((send_at, expires_at)),
    }
}
