//! Dead letters: notifications that came back without an ack too often. Somebody has to say so in the ledger.

use super::amqp::try_ack;
use super::message::{NotificationMessage, delivery_count};
use super::side_queue::SideQueue;
use super::topology::Topology;
use crate::domain::Notification;
use lapin::Acker;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::AMQPValue;
use tracing::warn;

/// A notification that the broker has given up on. Until [`DeadLetter::ack`] it stays in the queue of dead letters, and
/// is delivered again after a restart or a lost connection.
#[derive(Debug)]
pub struct DeadLetter {
    /// The notification, as it was when it was delivered last.
    pub notification: Notification,
    /// Why it is here, as the broker says: `delivery_limit` after too many returns without an ack.
    pub reason: String,
    acker: Acker,
}

impl DeadLetter {
    /// Removes it from the queue, once it is written in the ledger. Should that not get through, it is delivered again.
    pub async fn ack(self) {
        try_ack(self.acker).await;
    }
}

pub(super) fn dead_letter_queue(topology: &Topology) -> SideQueue<DeadLetter> {
    SideQueue { queue: topology.dead_letter_queue(), read }
}

fn read(delivery: &mut AmqpDelivery) -> Result<DeadLetter, String> {
    let (reason, acker) = (reason_of(delivery), delivery.acker.clone());
    let notification = NotificationMessage::read(delivery)?.notification;
    warn!(notification = %notification.id, bot = %notification.bot, reason, "dead letter");
    Ok(DeadLetter { notification, reason, acker })
}

/// What the broker wrote into the header when it dead-lettered the message.
fn reason_of(delivery: &AmqpDelivery) -> String {
    let headers = delivery.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("x-first-death-reason")) {
        Some(AMQPValue::LongString(reason)) => reason.to_string(),
        _ => format!("put here by hand, after {} returns", delivery_count(delivery)),
    }
}
