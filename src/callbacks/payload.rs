//! How a notification has ended, as JSON: the body of a callback, and the data of an event.

use crate::domain::{BotName, CallbackEvent, ChatId, ClientName, Failure, NotificationId, Record, Status, Timestamp};
use serde::Serialize;

/// The body, in the form that Standard Webhooks recommends.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    event_type: String,
    timestamp: Timestamp,
    data: Data<'a>,
}

/// The essential part of the notification, under the names that `GET /v1/notifications/{id}` has. Without a value they are null.
#[derive(Serialize)]
struct Data<'a> {
    id: NotificationId,
    status: Status,
    bot: &'a BotName,
    client: Option<&'a ClientName>,
    chat_id: &'a ChatId,
    tags: &'a [String],
    created_at: Timestamp,
    message_id: Option<i64>,
    failure: Option<&'a Failure>,
    updated_at: Timestamp,
}

/// What an end of this status is called.
pub fn event_type(status: Status) -> String {
    format!("notification.{}", status.as_str())
}

/// The JSON of an event; the same each time it is sent.
pub fn of(event: &CallbackEvent) -> String {
    write(Data {
        id: event.id.notification,
        status: event.id.status,
        bot: &event.bot,
        client: event.client.as_ref(),
        chat_id: &event.chat_id,
        tags: &event.tags,
        created_at: event.created_at,
        message_id: event.message_id,
        failure: event.failure.as_ref(),
        updated_at: event.ended_at,
    })
}

/// The same of a record that has ended.
pub fn of_record(record: &Record) -> String {
    let notification = &record.notification;
    write(Data {
        id: notification.id,
        status: record.status,
        bot: &notification.bot,
        client: notification.client.as_ref(),
        chat_id: &notification.chat_id,
        tags: &notification.tags,
        created_at: notification.created_at(),
        message_id: record.message_id,
        failure: record.failure.as_ref(),
        updated_at: record.updated_at,
    })
}

fn write(data: Data<'_>) -> String {
    let payload = Payload { event_type: event_type(data.status), timestamp: data.updated_at, data };
    serde_json::to_string(&payload).expect("plain data with text keys can be written as JSON")
}
