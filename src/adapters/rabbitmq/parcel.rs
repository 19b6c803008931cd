//! A notification as a message, and back.

use crate::domain::{Notification, Timestamp};
use lapin::BasicProperties;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::{AMQPValue, FieldTable};

/// The header with the moment before which the message must not be delivered, in Unix milliseconds. It survives the
/// rungs, whose times it need not fit.
const DUE: &str = "pixcourier-due";

/// A message that could be read.
pub(super) struct Parcel {
    pub(super) notification: Notification,
    pub(super) due: Option<Timestamp>,
    pub(super) redeliveries: u32,
    /// The notification as it came, for sending it on unchanged.
    pub(super) body: Vec<u8>,
}

impl Parcel {
    /// Takes the notification out of a delivery, or leaves it there and says what is wrong with it.
    pub(super) fn read(delivery: &mut AmqpDelivery) -> Result<Self, String> {
        Ok(Self {
            notification: read_body(&delivery.data)?,
            due: header(delivery, DUE).map(Timestamp::from_unix_millis),
            redeliveries: returns(delivery),
            body: std::mem::take(&mut delivery.data),
        })
    }
}

/// Reads the body of a message.
pub(super) fn read_body(body: &[u8]) -> Result<Notification, String> {
    let notification: Notification =
        serde_json::from_slice(body).map_err(|e| format!("not a notification: {:?} error", e.classify()))?;
    supported(&notification)?;
    Ok(notification)
}

/// Whether this program knows the layout.
pub(super) fn supported(notification: &Notification) -> Result<(), String> {
    match notification.v {
        v if v > Notification::VERSION => Err(format!("layout version {v} is newer than this program")),
        _ => Ok(()),
    }
}

/// The properties under which a notification travels. Fresh ones each time: before RabbitMQ 4.0 the broker reads an
/// `x-death` that comes in, and drops what seems to go round in circles.
pub(super) fn properties(notification: &Notification, due: Option<Timestamp>) -> BasicProperties {
    let mut headers = FieldTable::default();
    if let Some(due) = due {
        headers.insert(DUE.into(), AMQPValue::LongLongInt(due.unix_millis()));
    }
    persistent()
        .with_message_id(notification.id.to_string().into())
        .with_timestamp(u64::try_from(notification.accepted_at.unix_millis() / 1_000).unwrap_or(0))
        .with_headers(headers)
}

/// What all our messages have in common.
pub(super) fn persistent() -> BasicProperties {
    const PERSISTENT: u8 = 2;
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_app_id("pixcourier".into())
}

/// How many times the message was out before. The header is absent on a first delivery.
pub(super) fn returns(delivery: &AmqpDelivery) -> u32 {
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
