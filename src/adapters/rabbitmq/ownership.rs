//! One ownership of a bot, from its epoch's beginning to its end.

use super::release::Release;
use super::subscription::BotSubscription;
use super::topology::BotQueue;
use super::unacked::Unacked;
use crate::domain::{Lane, Timestamp};
use crate::ports::{HandOver, Receipt};
use lapin::message::Delivery as AmqpDelivery;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::info;

/// Ends when it is dropped: first the subscriber may send no more, then its receipts are stale.
pub(super) struct Ownership<'a> {
    pub(super) subscription: &'a BotSubscription,
    pub(super) unacked: Arc<Unacked>,
    epoch: u64,
}

impl<'a> Ownership<'a> {
    /// With what the owner before left, if it did; also gives where the release will come.
    pub(super) fn begin(
        subscription: &'a BotSubscription,
        inherited: Option<HandOver>,
    ) -> (Self, mpsc::Receiver<Release>) {
        // Grows with time, and differs between processes.
        let now = u64::try_from(Timestamp::now().unix_millis()).unwrap_or(0);
        let epoch = now << 20 | fastrand::u64(..1 << 20);
        let unacked = Arc::new(Unacked::new(subscription.window));
        subscription.broker.unacked.insert(&subscription.bot, epoch, unacked.clone());
        let releases = subscription.broker.releases.add(&subscription.bot, epoch);
        info!(bot = %subscription.bot, epoch, handed_over = inherited.is_some(), "owns the bot");
        subscription.inherited.send_replace(inherited);
        subscription.ownership.send_replace(Some(epoch));
        (Self { subscription, unacked, epoch }, releases)
    }

    /// Notes a delivery as unacked.
    pub(super) fn register(&self, queue: BotQueue, lane: Lane, delivery: &AmqpDelivery) -> Receipt {
        let (bot, tag) = (self.subscription.bot.clone(), delivery.delivery_tag);
        let receipt = Receipt { bot, lane, epoch: self.epoch, tag };
        self.unacked.add(queue, &receipt, delivery.acker.clone());
        receipt
    }
}

impl Drop for Ownership<'_> {
    fn drop(&mut self) {
        self.subscription.ownership.send_replace(None);
        self.subscription.release.send_replace(false);
        self.subscription.broker.unacked.remove(&self.subscription.bot, self.epoch);
        self.subscription.broker.releases.remove(self.epoch);
        info!(bot = %self.subscription.bot, epoch = self.epoch, "no longer owns the bot");
    }
}
