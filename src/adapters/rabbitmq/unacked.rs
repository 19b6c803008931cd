//! What is out unacked, by ownership. The epoch of an ownership is a fencing token: when it ends its entries go with it,
//! so its receipts are stale at once.

use super::amqp::REQUEST_TIMEOUT;
use super::topology::BotQueue;
use crate::domain::{BotName, Lane};
use crate::ports::{QueueError, Receipt};
use lapin::Acker;
use lapin::options::BasicAckOptions;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The unacked deliveries of one ownership.
pub(super) struct Unacked {
    window: u16,
    ackers: Mutex<Ackers>,
}

#[derive(Default)]
struct Ackers {
    by_delivery: HashMap<(Lane, u64), (BotQueue, Acker)>,
    /// How many there are, by lane in the order of [`Lane::ALL`].
    counts: [u64; 3],
    /// The same by queue, in the order of [`BotQueue::ALL`].
    counts_by_queue: [u16; 5],
    /// When the last one came, or when all queues were consumed.
    last_delivery: Option<Instant>,
}

impl Unacked {
    pub(super) fn new(window: u16) -> Self {
        Self { window, ackers: Mutex::default() }
    }

    /// All queues of the bot are consumed from now on.
    pub(super) fn begin_consuming(&self, now: Instant) {
        self.ackers().last_delivery = Some(now);
    }

    pub(super) fn add(&self, queue: BotQueue, receipt: &Receipt, acker: Acker) {
        let mut ackers = self.ackers();
        if ackers.by_delivery.insert((receipt.lane, receipt.tag), (queue, acker)).is_none() {
            ackers.counts[receipt.lane as usize] += 1;
            ackers.counts_by_queue[queue.index()] += 1;
        }
        ackers.last_delivery = Some(Instant::now());
    }

    /// Whether the broker could deliver more from every queue, and has delivered nothing for so long.
    fn is_quiet(&self, quiet: Duration) -> bool {
        let ackers = self.ackers();
        let mut counts = BotQueue::ALL.into_iter().zip(ackers.counts_by_queue);
        ackers.last_delivery.is_some_and(|at| at.elapsed() >= quiet)
            && counts.all(|(queue, count)| count < queue.prefetch(self.window))
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
        let (queue, acker) = ackers.by_delivery.remove(&(receipt.lane, receipt.tag))?;
        ackers.counts[receipt.lane as usize] -= 1;
        ackers.counts_by_queue[queue.index()] -= 1;
        Some(acker)
    }

    fn ackers(&self) -> MutexGuard<'_, Ackers> {
        self.ackers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ownerships of a bot that this process has, by epoch: one, but for a moment.
type OfBot = Vec<(u64, Arc<Unacked>)>;

/// The unacked deliveries of all ownerships of this process.
#[derive(Default)]
pub(super) struct UnackedByBot(Mutex<HashMap<BotName, OfBot>>);

impl UnackedByBot {
    pub(super) fn insert(&self, bot: &BotName, epoch: u64, unacked: Arc<Unacked>) {
        self.by_bot().entry(bot.clone()).or_default().push((epoch, unacked));
    }

    pub(super) fn remove(&self, bot: &BotName, epoch: u64) {
        if let Some(of_bot) = self.by_bot().get_mut(bot) {
            of_bot.retain(|(other, _)| *other != epoch);
        }
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
        for (_, unacked) in self.by_bot().get(bot).into_iter().flatten() {
            counts.iter_mut().zip(unacked.ackers().counts).for_each(|(count, more)| *count += more);
        }
        counts
    }

    /// Whether a bot is owned here, and its queues have given nothing for so long although there was room for it.
    pub(super) fn is_quiet(&self, bot: &BotName, quiet: Duration) -> bool {
        self.by_bot().get(bot).into_iter().flatten().any(|(_, unacked)| unacked.is_quiet(quiet))
    }

    fn find(&self, receipt: &Receipt) -> Result<Arc<Unacked>, QueueError> {
        let by_bot = self.by_bot();
        let mut of_bot = by_bot.get(&receipt.bot).into_iter().flatten();
        let found = of_bot.find(|(epoch, _)| *epoch == receipt.epoch).map(|(_, unacked)| unacked.clone());
        found.ok_or(QueueError::Stale)
    }

    fn by_bot(&self) -> MutexGuard<'_, HashMap<BotName, OfBot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
