//! What is out unacked, by ownership. The epoch of an ownership is a fencing token: when it ends its entries go with it,
//! so its receipts are stale at once.

use super::amqp::REQUEST_TIMEOUT;
use crate::domain::{BotName, Lane};
use crate::ports::{QueueError, Receipt};
use lapin::Acker;
use lapin::options::BasicAckOptions;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;

/// The unacked deliveries of one ownership.
pub(super) struct Unacked {
    bot: BotName,
    ackers: Mutex<Ackers>,
}

#[derive(Default)]
struct Ackers {
    by_delivery: HashMap<(Lane, u64), Acker>,
    /// How many there are, by lane in the order of [`Lane::ALL`].
    counts: [u64; 3],
}

impl Unacked {
    pub(super) fn new(bot: BotName) -> Self {
        Self { bot, ackers: Mutex::default() }
    }

    pub(super) fn add(&self, receipt: &Receipt, acker: Acker) {
        let mut ackers = self.ackers();
        if ackers.by_delivery.insert((receipt.lane, receipt.tag), acker).is_none() {
            ackers.counts[receipt.lane as usize] += 1;
        }
    }

    /// Acks a delivery that has a new place. Should that fail, the channel is gone and a duplicate comes back, which the
    /// ledger recognises.
    pub(super) async fn ack_moved(&self, receipt: &Receipt) {
        if let Some(acker) = self.remove(receipt) {
            let _ = acker.ack(BasicAckOptions::default()).await;
        }
    }

    fn remove(&self, receipt: &Receipt) -> Option<Acker> {
        let mut ackers = self.ackers();
        let acker = ackers.by_delivery.remove(&(receipt.lane, receipt.tag))?;
        ackers.counts[receipt.lane as usize] -= 1;
        Some(acker)
    }

    fn ackers(&self) -> MutexGuard<'_, Ackers> {
        self.ackers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The unacked deliveries of all ownerships of this process.
#[derive(Default)]
pub(super) struct UnackedByEpoch(Mutex<HashMap<u64, Arc<Unacked>>>);

impl UnackedByEpoch {
    pub(super) fn insert(&self, epoch: u64, unacked: Arc<Unacked>) {
        self.by_epoch().insert(epoch, unacked);
    }

    pub(super) fn remove(&self, epoch: u64) {
        self.by_epoch().remove(&epoch);
    }

    /// [`QueueError::Stale`] if the delivery is not out in the ownership of the receipt.
    pub(super) fn check(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let unacked = self.find(receipt)?;
        let is_out = unacked.ackers().by_delivery.contains_key(&(receipt.lane, receipt.tag));
        is_out.then_some(()).ok_or(QueueError::Stale)
    }

    /// Acks the delivery of the receipt.
    pub(super) async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let acker = self.find(receipt)?.remove(receipt).ok_or(QueueError::Stale)?;
        match timeout(REQUEST_TIMEOUT, acker.ack(BasicAckOptions::default())).await {
            Ok(Ok(true)) => Ok(()),
            // The channel is gone, and with it the delivery.
            Ok(Ok(false) | Err(_)) => Err(QueueError::Stale),
            Err(_) => Err(QueueError::Unavailable("RabbitMQ did not take the ack in time".to_owned())),
        }
    }

    /// How many deliveries of a bot are out, by lane in the order of [`Lane::ALL`].
    pub(super) fn count(&self, bot: &BotName) -> [u64; 3] {
        let mut counts = [0; 3];
        for unacked in self.by_epoch().values().filter(|unacked| unacked.bot == *bot) {
            counts.iter_mut().zip(unacked.ackers().counts).for_each(|(count, more)| *count += more);
        }
        counts
    }

    fn find(&self, receipt: &Receipt) -> Result<Arc<Unacked>, QueueError> {
        let unacked = self.by_epoch().get(&receipt.epoch).cloned();
        unacked.filter(|unacked| unacked.bot == receipt.bot).ok_or(QueueError::Stale)
    }

    fn by_epoch(&self) -> MutexGuard<'_, HashMap<u64, Arc<Unacked>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
