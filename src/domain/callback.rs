//! What a receiver is told: how a notification has ended.

use super::callback_url::CallbackUrl;
use super::client_name::ClientName;
use super::ids::{BotName, ChatId, InvalidIdError, NotificationId};
use super::record::{Failure, Record, Status};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The end of a notification, as its receiver is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallbackEvent {
    /// Which end of which notification.
    pub id: CallbackId,
    /// Who is told.
    pub url: CallbackUrl,
    /// The bot of the notification.
    pub bot: BotName,
    /// Who posted it, if that was a client with a name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<ClientName>,
    /// Where it went.
    pub chat_id: ChatId,
    /// The caller's labels.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// When it was accepted first.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// See [`Record::message_id`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<i64>,
    /// See [`Record::failure`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Failure>,
}

impl CallbackEvent {
    /// The event of a record that has just ended, if somebody is to be told: nobody is of one that was refused, whose caller was
    /// told so while it waited.
    pub fn of(record: &Record) -> Option<Self> {
        let notification = &record.notification;
        if !record.status.is_final() || record.status == Status::Refused {
            return None;
        }
        Some(Self {
            id: CallbackId {
                notification: notification.id,
                accepted_at: notification.accepted_at,
                status: record.status,
            },
            url: notification.callback_url.clone()?,
            bot: notification.bot.clone(),
            client: notification.client.clone(),
            chat_id: notification.chat_id.clone(),
            tags: notification.tags.clone(),
            created_at: notification.created_at(),
            ended_at: record.updated_at,
            message_id: record.message_id,
            failure: record.failure.clone(),
        })
    }
}

/// The id of a callback: which end of which notification. A notification that is cancelled, retried and sent has two; written
/// twice, an end is the same callback. Written `NOTIFICATION-MILLISECONDS-STATUS`, without a dot, as Standard Webhooks wants it;
/// sorts as notifications do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallbackId {
    /// The notification.
    pub notification: NotificationId,
    /// When it was accepted, the last time before this end.
    pub accepted_at: Timestamp,
    /// How it ended.
    pub status: Status,
}

impl fmt::Display for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.notification, self.accepted_at.unix_millis(), self.status.as_str())
    }
}

impl fmt::Debug for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallbackId {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        const UUID_CHARS: usize = 36;
        let read = || {
            let (notification, end) = text.split_at_checked(UUID_CHARS)?;
            let (accepted_at, status) = end.strip_prefix('-')?.split_once('-')?;
            let id = Self {
                notification: notification.parse().ok()?,
                accepted_at: Timestamp::from_unix_millis(accepted_at.parse().ok()?),
                status: status.parse().ok()?,
            };
            // Only as it is written: stores look for the text.
            (id.to_string() == text).then_some(id)
        };
        read().ok_or(InvalidIdError("a callback id is NOTIFICATION-MILLISECONDS-STATUS"))
    }
}

impl TryFrom<String> for CallbackId {
    type Error = InvalidIdError;

    fn try_from(text: String) -> Result<Self, InvalidIdError> {
        text.parse()
    }
}

impl From<CallbackId> for String {
    fn from(id: CallbackId) -> Self {
        id.to_string()
    }
}

/// Where a callback stands. One that was delivered is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackState {
    /// Not tried yet.
    Waiting,
    /// Tried, and tried again later.
    Failing,
    /// Tried for as long as it is; kept to be replayed.
    GivenUp,
}

impl CallbackState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Failing, Self::GivenUp];

    /// The name in answers and stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Failing => "failing",
            Self::GivenUp => "given_up",
        }
    }
}

impl FromStr for CallbackState {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or(InvalidIdError("state is one of waiting, failing, given_up"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_not_otherwise() {
        let accepted_at = Timestamp::parse("2026-11-21T09:30:00.125Z").unwrap();
        let id = CallbackId { notification: NotificationId::from_number(7), accepted_at, status: Status::Sent };
        let text = "00000000-0000-0000-0000-000000000007-1795253400125-sent";
        assert_eq!((id.to_string().as_str(), text.parse()), (text, Ok(id)));
        for bad in [
            "",
            "x",
            "00000000-0000-0000-0000-000000000007",
            &text[..50],
            &text.replace("-17", "-017"),
            &format!("{text}x"),
        ] {
            assert!(bad.parse::<CallbackId>().is_err(), "{bad}");
        }
    }
}
