//! What is out unacked, by ownership. An ownership that ends takes its entries along, so its receipts are stale at once.

use crate::domain::{BotName, Lane};
use crate::ports::{QueueError, Receipt};
use lapin::Acker;
use lapin::options::BasicAckOptions;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;

/// The deliveries of one ownership that are out.
pub(super) struct Holding {
    bot: BotName,
    out: Mutex<HashMap<(Lane, u64), Acker>>,
}

impl Holding {
    pub(super) fn new(bot: BotName) -> Self {
        Self { bot, out: Mutex::default() }
    }

    pub(super) fn add(&self, lane: Lane, tag: u64, acker: Acker) {
        self.out().insert((lane, tag), acker);
    }

    pub(super) fn take(&self, lane: Lane, tag: u64) -> Option<Acker> {
        self.out().remove(&(lane, tag))
    }

    fn out(&self) -> MutexGuard<'_, HashMap<(Lane, u64), Acker>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All ownerships of this process by epoch.
#[derive(Default)]
pub(super) struct Holdings(Mutex<HashMap<u64, Arc<Holding>>>);

impl Holdings {
    pub(super) fn begin(&self, epoch: u64, holding: Arc<Holding>) {
        self.all().insert(epoch, holding);
    }

    pub(super) fn end(&self, epoch: u64) {
        self.all().remove(&epoch);
    }

    /// Whether the receipt is good.
    pub(super) fn check(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let holding = self.find(receipt)?;
        let known = holding.out().contains_key(&(receipt.lane, receipt.tag));
        known.then_some(()).ok_or(QueueError::Stale)
    }

    /// Acks what the receipt names.
    pub(super) async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let acker = self.find(receipt)?.take(receipt.lane, receipt.tag).ok_or(QueueError::Stale)?;
        match timeout(super::office::PATIENCE, acker.ack(BasicAckOptions::default())).await {
            Ok(Ok(true)) => Ok(()),
            // The channel is gone, and with it the delivery.
            Ok(Ok(false) | Err(_)) => Err(QueueError::Stale),
            Err(_) => Err(QueueError::Unavailable("RabbitMQ did not take the ack in time".to_owned())),
        }
    }

    /// How many are out by lane.
    pub(super) fn count(&self, bot: &BotName) -> [u64; 3] {
        let mut counts = [0; 3];
        for holding in self.all().values().filter(|holding| holding.bot == *bot) {
            for (lane, _) in holding.out().keys() {
                counts[*lane as usize] += 1;
            }
        }
        counts
    }

    fn find(&self, receipt: &Receipt) -> Result<Arc<Holding>, QueueError> {
        let holding = self.all().get(&receipt.epoch).cloned();
        holding.filter(|holding| holding.bot == receipt.bot).ok_or(QueueError::Stale)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<Holding>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
