//! A record as the fields of a hash. Times are milliseconds since the epoch; the notification and each attempt stay
//! the JSON text they came as. What was sent is made small after a while: then most of it is packed, in pieces whose fields are
//! their numbers.

use super::packed::unpack;
use crate::domain::{ListedNotification, ListedRecord, ListedResult, Notification, NotificationId, Record, Timestamp};
use crate::ports::LedgerError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;

/// The fields of a record's hash.
pub(super) type RecordFields = HashMap<String, Vec<u8>>;

/// The record, `None` if there are no fields.
pub(super) fn read_record(id: NotificationId, fields: &RecordFields) -> Result<Option<Record>, LedgerError> {
    read(id, fields, parse, |record: Record| record)
}

/// The same as a listing has it: without the parameters of its calls.
pub(super) fn read_listed_record(id: NotificationId, fields: &RecordFields) -> Result<Option<Record>, LedgerError> {
    read(id, fields, parse_listed, |record: ListedRecord| record.into())
}

fn read<T: DeserializeOwned>(
    id: NotificationId,
    fields: &RecordFields,
    parse: impl Fn(&RecordFields) -> Option<Record>,
    into_record: impl Fn(T) -> Record,
) -> Result<Option<Record>, LedgerError> {
    if fields.is_empty() {
        return Ok(None);
    }
    let packed =
        (0..).map_while(|number: usize| fields.get(&number.to_string())).flatten().copied().collect::<Vec<u8>>();
    let record = if packed.is_empty() {
        parse(fields)
    } else {
        text(fields, "bot").flatten().and_then(|bot| from_json(&unpack(packed, id, bot)?)).map(into_record)
    };
    record.map(Some).ok_or_else(|| LedgerError::Unavailable("a record is not readable".to_owned()))
}

/// A domain type as JSON text.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("domain types have text keys and finite numbers")
}

/// An optional value as an argument of a script; empty is none.
pub(super) fn optional_argument<T>(value: Option<&T>, write: impl Fn(&T) -> String) -> String {
    value.map(write).unwrap_or_default()
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}

fn parse(fields: &RecordFields) -> Option<Record> {
    parse_with(fields, from_json, from_json)
}

fn parse_listed(fields: &RecordFields) -> Option<Record> {
    let notification = |json: &[u8]| from_json::<ListedNotification>(json).map(Notification::from);
    parse_with(fields, notification, |json| Some(from_json::<ListedResult>(json)?.into_value()))
}

/// A field, `Some(None)` if it is absent, `None` if it is no text.
fn text<'a>(fields: &'a RecordFields, name: &str) -> Option<Option<&'a str>> {
    fields.get(name).map(|value| std::str::from_utf8(value).ok()).map_or(Some(None), |text| text.map(Some))
}

fn parse_with(
    fields: &RecordFields,
    notification: impl Fn(&[u8]) -> Option<Notification>,
    result: impl Fn(&[u8]) -> Option<Option<Value>>,
) -> Option<Record> {
    let time = |text: &str| text.parse().ok().map(Timestamp::from_unix_millis);
    // An absent field is `None`, an unreadable one makes the whole unreadable.
    fn optional<V, T>(field: Option<V>, parse: impl Fn(V) -> Option<T>) -> Option<Option<T>> {
        field.map_or(Some(None), |value| parse(value).map(Some))
    }
    let json = |name| fields.get(name).map(Vec::as_slice);
    Some(Record {
        notification: notification(json("notification")?)?,
        status: text(fields, "status")??.parse().ok()?,
        attempts: match text(fields, "attempts")? {
            Some(lines) => lines.lines().map(|line| from_json(line.as_bytes())).collect::<Option<_>>()?,
            None => Vec::new(),
        },
        message_id: optional(text(fields, "message_id")?, |text| text.parse().ok())?,
        file_id: text(fields, "file_id")?.map(str::to_owned),
        failure: optional(json("failure"), from_json)?,
        next_attempt_at: optional(text(fields, "next_attempt_at")?, time)?,
        result: optional(json("result"), result)?.flatten(),
        updated_at: time(text(fields, "updated_at")??)?,
    })
}
