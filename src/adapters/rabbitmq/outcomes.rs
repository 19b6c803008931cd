//! The journal of outcomes: what was sent, or ended otherwise, while the ledger was away.

use super::RabbitQueue;
use super::parcel::supported;
use super::shelf::{self, Shelf};
use super::topology::Topology;
use crate::ports::{Journal, JournalEntry, QueueError};
use async_trait::async_trait;
use lapin::Acker;
use lapin::message::Delivery as AmqpDelivery;

/// An outcome from the journal. Until [`Noted::done`] it stays there, and comes again after a restart or a lost
/// connection.
#[derive(Debug)]
pub struct Noted {
    /// What was noted.
    pub outcome: JournalEntry,
    acker: Acker,
}

impl Noted {
    /// It is in the ledger; the journal may forget it. Should that not get through, it comes again.
    pub async fn done(self) {
        shelf::done(self.acker).await;
    }
}

#[async_trait]
impl Journal for RabbitQueue {
    async fn append(&self, outcome: &JournalEntry) -> Result<(), QueueError> {
        self.office.append(outcome).await
    }
}

/// Where they lie.
pub(super) fn shelf(topology: &Topology) -> Shelf<Noted> {
    Shelf { queue: topology.outcomes(), read }
}

fn read(delivery: &mut AmqpDelivery) -> Result<Noted, String> {
    let outcome: JournalEntry =
        serde_json::from_slice(&delivery.data).map_err(|e| format!("not an outcome: {:?} error", e.classify()))?;
    supported(&outcome.notification)?;
    Ok(Noted { outcome, acker: delivery.acker.clone() })
}
