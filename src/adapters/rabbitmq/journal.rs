//! The journal: a queue of outcomes (what was sent, or ended otherwise) that the ledger could not take when they came.

use super::amqp::try_ack;
use super::message::check_version;
use super::side_queue::SideQueue;
use super::topology::Topology;
use crate::ports::JournalEntry;
use lapin::Acker;
use lapin::message::Delivery as AmqpDelivery;

/// An entry of the journal. Until [`JournalMessage::ack`] it stays in the queue, and is delivered again after a restart
/// or a lost connection.
#[derive(Debug)]
pub struct JournalMessage {
    /// The outcome.
    pub outcome: JournalEntry,
    acker: Acker,
}

impl JournalMessage {
    /// Removes it from the journal, once it is in the ledger. Should that not get through, it is delivered again.
    pub async fn ack(self) {
        try_ack(self.acker).await;
    }
}

pub(super) fn journal_queue(topology: &Topology) -> SideQueue<JournalMessage> {
    SideQueue { queue: topology.journal_queue(), read }
}

fn read(delivery: &mut AmqpDelivery) -> Result<JournalMessage, String> {
    let outcome: JournalEntry =
        serde_json::from_slice(&delivery.data).map_err(|e| format!("not an outcome: {:?} error", e.classify()))?;
    check_version(&outcome.notification)?;
    Ok(JournalMessage { outcome, acker: delivery.acker.clone() })
}
