//! The body of a callback.

use crate::domain::{BotName, CallbackEvent, ChatId, ClientName, Failure, NotificationId, Status, Timestamp};
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

/// The JSON of an event; the same each time it is sent.
pub fn of(event: &CallbackEvent) -> String {
    let status = event.id.status;
    let payload = Payload {
        event_type: format!("notification.{}", status.as_str()),
        timestamp: event.ended_at,
        data: Data {
            id: event.id.notification,
            status,
            bot: &event.bot,
            client: event.client.as_ref(),
            chat_id: &event.chat_id,
            tags: &event.tags,
            created_at: event.created_at,
            message_id: event.message_id,
            failure: event.failure.as_ref(),
            updated_at: event.ended_at,
        },
    };
    serde_json::to_string(&payload).expect("plain data with text keys can be written as JSON")
}
