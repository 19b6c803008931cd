//! The inner end of a [`Subscription`](crate::ports::Subscription).

use super::broker::Broker;
use crate::domain::BotName;
use crate::ports::{Delivery, HandOver};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Who subscribed to what, and where the epoch of the ownership and the deliveries go.
pub(super) struct BotSubscription {
    pub(super) broker: Arc<Broker>,
    pub(super) bot: BotName,
    /// The prefetch of each lane.
    pub(super) window: u16,
    pub(super) ownership: watch::Sender<Option<u64>>,
    /// What the owner before left.
    pub(super) inherited: watch::Sender<Option<HandOver>>,
    /// Where the owner is asked to give the bot away.
    pub(super) release: watch::Sender<bool>,
    /// Its number among [`Stakes`](super::stakes).
    pub(super) stake: u64,
    pub(super) deliveries: mpsc::Sender<Delivery>,
}

impl Drop for BotSubscription {
    fn drop(&mut self) {
        self.broker.stakes.remove(self.stake);
        if self.broker.stakes.is_empty() {
            // The others need not leave it room.
            self.broker.presence.step_back();
        }
    }
}
