//! What changes of a record, as its row keeps it: all but the notification, whose body stands beside it and is written once. It
//! repeats what couriers ask of that, so that no attempt has to read the body.

use super::columns::{from_json, to_json};
use super::store_error::StoreError;
use crate::domain::{Attempt, ChatId, Failure, Notification, NotificationId, Record, Status, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// See the module. `R` is how much of Telegram's result is read.
#[derive(Deserialize)]
pub struct RecordState<R = Option<Value>> {
    /// When the notification was accepted last.
    pub accepted_at: Timestamp,
    /// Where it goes.
    pub chat_id: ChatId,
    /// The one that it waits for, if it does.
    #[serde(default)]
    pub follows: Option<NotificationId>,
    /// See [`Record::status`].
    pub status: Status,
    #[serde(default)]
    attempts: Vec<Attempt>,
    #[serde(default)]
    message_id: Option<i64>,
    #[serde(default)]
    file_id: Option<String>,
    #[serde(default)]
    failure: Option<Failure>,
    #[serde(default)]
    next_attempt_at: Option<Timestamp>,
    #[serde(default = "Default::default", bound(deserialize = "R: Default + Deserialize<'de>"))]
    result: R,
    updated_at: Timestamp,
}

/// The same to be written.
#[derive(Serialize)]
struct WrittenState<'a> {
    accepted_at: Timestamp,
    chat_id: &'a ChatId,
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<NotificationId>,
    status: Status,
    #[serde(skip_serializing_if = "<[Attempt]>::is_empty")]
    attempts: &'a [Attempt],
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    updated_at: Timestamp,
}

/// What is kept of a record beside its notification.
pub fn write(record: &Record) -> String {
    let notification = &record.notification;
    to_json(&WrittenState {
        accepted_at: notification.accepted_at,
        chat_id: &notification.chat_id,
        follows: notification.follows,
        status: record.status,
        attempts: &record.attempts,
        message_id: record.message_id,
        file_id: record.file_id.as_deref(),
        failure: record.failure.as_ref(),
        next_attempt_at: record.next_attempt_at,
        result: record.result.as_ref(),
        updated_at: record.updated_at,
    })
}

/// What [`write()`] wrote.
pub fn read<R: Default + DeserializeOwned>(text: &str) -> Result<RecordState<R>, StoreError> {
    from_json("record", text)
}

impl<R> RecordState<R> {
    /// The record, with its notification and what is kept of Telegram's result.
    pub fn into_record(self, notification: Notification, result: impl Fn(R) -> Option<Value>) -> Record {
        Record {
            notification,
            status: self.status,
            attempts: self.attempts,
            message_id: self.message_id,
            file_id: self.file_id,
            failure: self.failure,
            next_attempt_at: self.next_attempt_at,
            result: result(self.result),
            updated_at: self.updated_at,
        }
    }
}
