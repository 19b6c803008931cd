//! The inner end of a [`Subscription`](crate::ports::Subscription).

use super::broker::Broker;
use crate::domain::BotName;
use crate::ports::Delivery;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Who subscribed to what, and where the epoch of the ownership and the deliveries go.
pub(super) struct BotSubscription {
    pub(super) broker: Arc<Broker>,
    pub(super) bot: BotName,
    /// The prefetch of each lane.
    pub(super) window: u16,
    pub(super) ownership: watch::Sender<Option<u64>>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
}
