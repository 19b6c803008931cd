//! A record as the fields of a hash. Times are milliseconds since the epoch; the notification and each attempt stay
//! the JSON text they came as.

use crate::domain::{ListedNotification, ListedResult, Notification, Record, Timestamp};
use crate::ports::LedgerError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;

/// The fields of a record's hash.
pub(super) type RecordFields = HashMap<String, String>;

/// The record, `None` if there are no fields.
pub(super) fn read_record(fields: &RecordFields) -> Result<Option<Record>, LedgerError> {
    if fields.is_empty() {
        return Ok(None);
    }
    parse(fields).map(Some).ok_or_else(unreadable)
}

/// The same as a listing has it: without the parameters of its calls.
pub(super) fn read_listed_record(fields: &RecordFields) -> Result<Option<Record>, LedgerError> {
    if fields.is_empty() {
        return Ok(None);
    }
    parse_listed(fields).map(Some).ok_or_else(unreadable)
}

fn unreadable() -> LedgerError {
    LedgerError::Unavailable("a record is not readable".to_owned())
}

/// A domain type as JSON text.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("domain types have text keys and finite numbers")
}

/// An optional value as an argument of a script; empty is none.
pub(super) fn optional_argument<T>(value: Option<&T>, write: impl Fn(&T) -> String) -> String {
    value.map(write).unwrap_or_default()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn parse(fields: &RecordFields) -> Option<Record> {
    parse_with(fields, from_json, from_json)
}

fn parse_listed(fields: &RecordFields) -> Option<Record> {
    let notification = |text: &str| from_json::<ListedNotification>(text).map(Notification::from);
    parse_with(fields, notification, |text| Some(from_json::<ListedResult>(text)?.into_value()))
}

fn parse_with(
    fields: &RecordFields,
    notification: impl Fn(&str) -> Option<Notification>,
    result: impl Fn(&str) -> Option<Option<Value>>,
) -> Option<Record> {
    let time = |text: &str| text.parse().ok().map(Timestamp::from_unix_millis);
    // An absent field is `None`, an unreadable one makes the whole unreadable.
    fn optional<T>(field: Option<&String>, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        field.map_or(Some(None), |text| parse(text).map(Some))
    }
    Some(Record {
        notification: notification(fields.get("notification")?)?,
        status: fields.get("status")?.parse().ok()?,
        attempts: match fields.get("attempts") {
            Some(lines) => lines.lines().map(from_json).collect::<Option<_>>()?,
            None => Vec::new(),
        },
        message_id: optional(fields.get("message_id"), |text| text.parse().ok())?,
        file_id: fields.get("file_id").cloned(),
        failure: optional(fields.get("failure"), from_json)?,
        next_attempt_at: optional(fields.get("next_attempt_at"), time)?,
        result: optional(fields.get("result"), result)?.flatten(),
        updated_at: time(fields.get("updated_at")?)?,
    })
}
