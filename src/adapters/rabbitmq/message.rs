//! A notification as an AMQP message, and back.

use crate::domain::{Notification, Timestamp};
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::{AMQPValue, FieldTable};

/// The header with the moment before which the message must not be delivered, in Unix milliseconds. It survives the
/// delay queues, whose delays it need not fit.
const DUE_HEADER: &str = "pixcourier-due";

/// A message of a lane that could be read.
pub(super) struct NotificationMessage {
    pub(super) notification: Notification,
    pub(super) due: Option<Timestamp>,
    pub(super) redeliveries: u32,
    /// The notification as it came, for publishing it again unchanged.
    pub(super) body: Bytes,
}

impl NotificationMessage {
    /// Takes the notification out of a delivery, or leaves it there and says what is wrong with it.
    pub(super) fn read(delivery: &mut AmqpDelivery) -> Result<Self, String> {
        Ok(Self {
            notification: read_body(&delivery.data)?,
            due: header(delivery, DUE_HEADER).map(Timestamp::from_unix_millis),
            redeliveries: delivery_count(delivery),
            body: std::mem::take(&mut delivery.data).into(),
        })
    }
}

fn read_body(body: &[u8]) -> Result<Notification, String> {
    let notification: Notification =
        serde_json::from_slice(body).map_err(|e| format!("not a notification: {:?} error", e.classify()))?;
    check_version(&notification)?;
    Ok(notification)
}

/// Refuses a layout that is newer than this program.
pub(super) fn check_version(notification: &Notification) -> Result<(), String> {
    match notification.v {
        v if v > Notification::VERSION => Err(format!("layout version {v} is newer than this program")),
        _ => Ok(()),
    }
}

/// The properties of a notification's message. Fresh ones each time: before RabbitMQ 4.0 the broker reads an `x-death`
/// that comes in, and drops what seems to be dead-lettered in a circle.
pub(super) fn notification_properties(notification: &Notification, due: Option<Timestamp>) -> BasicProperties {
    let mut headers = FieldTable::default();
    if let Some(due) = due {
        headers.insert(DUE_HEADER.into(), AMQPValue::LongLongInt(due.unix_millis()));
    }
    persistent_properties()
        .with_message_id(notification.id.to_string().into())
        .with_timestamp(u64::try_from(notification.accepted_at.unix_millis() / 1_000).unwrap_or(0))
        .with_headers(headers)
}

/// The properties of every message that must survive a restart of the broker.
pub(super) fn persistent_properties() -> BasicProperties {
    const PERSISTENT: u8 = 2;
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_app_id("pixcourier".into())
}

/// How many times the message was delivered before and came back. RabbitMQ leaves the header out of a first delivery.
pub(super) fn delivery_count(delivery: &AmqpDelivery) -> u32 {
    header(delivery, "x-delivery-count").map_or(0, |count| u32::try_from(count).unwrap_or(0))
}

fn header(delivery: &AmqpDelivery, name: &str) -> Option<i64> {
    match *delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::ShortShortInt(n) => Some(n.into()),
        AMQPValue::ShortShortUInt(n) => Some(n.into()),
        AMQPValue::ShortInt(n) => Some(n.into()),
        AMQPValue::ShortUInt(n) => Some(n.into()),
        AMQPValue::LongInt(n) => Some(n.into()),
        AMQPValue::LongUInt(n) => Some(n.into()),
        AMQPValue::LongLongInt(n) => Some(n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_notification_is_refused_without_being_repeated() {
        let reason = read_body(b"{\"secret\": 1").err().unwrap();
        assert!(!reason.contains("secret"), "{reason}");
        assert!(read_body(b"{}").is_err());
    }
}
