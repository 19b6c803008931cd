//! What came back too often: somebody has to say so in the ledger.

use super::parcel::{Parcel, returns};
use super::shelf::{self, Shelf};
use super::topology::Topology;
use crate::domain::Notification;
use lapin::Acker;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::AMQPValue;
use tracing::warn;

/// A notification that the broker has buried. Until [`Buried::done`] it lies in the queue of the buried, and comes
/// again after a restart or a lost connection.
#[derive(Debug)]
pub struct Buried {
    /// The notification, as it was when it was delivered last.
    pub notification: Notification,
    /// Why it is here, as the broker says: `delivery_limit` after too many returns without an ack.
    pub reason: String,
    acker: Acker,
}

impl Buried {
    /// It is written down elsewhere; the queue may forget it. Should that not get through, it comes again.
    pub async fn done(self) {
        shelf::done(self.acker).await;
    }
}

/// Where they lie.
pub(super) fn shelf(topology: &Topology) -> Shelf<Buried> {
    Shelf { queue: topology.buried(), read }
}

fn read(delivery: &mut AmqpDelivery) -> Result<Buried, String> {
    let (reason, acker) = (reason_of(delivery), delivery.acker.clone());
    let notification = Parcel::read(delivery)?.notification;
    warn!(notification = %notification.id, bot = %notification.bot, reason, "buried");
    Ok(Buried { notification, reason, acker })
}

/// What the broker wrote down when it put the message here.
fn reason_of(delivery: &AmqpDelivery) -> String {
    let headers = delivery.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("x-first-death-reason")) {
        Some(AMQPValue::LongString(reason)) => reason.to_string(),
        _ => format!("put here by hand, after {} returns", returns(delivery)),
    }
}
