//! The queue between intake and the couriers, and which process owns a bot's part of it.

use super::HandOver;
use crate::domain::{BotName, Lane, Notification, Timestamp};
use async_trait::async_trait;
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};

/// Durable lanes per bot, with one owner per bot at a time. Deliveries are at-least-once: what an owner had not acked when
/// it went is redelivered to the next.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Stores a notification durably. It is delivered no earlier than its `send_at`.
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError>;

    /// Competes for the ownership of a bot's lanes as long as the returned subscription lives, and reconnects by itself. At
    /// most `window` notifications per lane are unacked at a time (prefetch).
    async fn subscribe(&self, bot: &BotName, window: u16) -> Result<Subscription, QueueError>;

    /// Removes a delivered notification for good. A receipt from an earlier ownership is [`QueueError::Stale`].
    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError>;

    /// Requeues a delivered notification, as changed, to be delivered again no earlier than `until`: it is durable in its
    /// new place before it leaves the old.
    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError>;

    /// Gives up the ownership of this epoch, in order: nothing of it is under way any more. What is unacked can be delivered
    /// to the next owner, who is given `left`; this subscription stands by behind the others. [`QueueError::Stale`] if the
    /// ownership has ended already; the next owner knows nothing then.
    async fn release(&self, bot: &BotName, epoch: u64, left: HandOver) -> Result<(), QueueError>;

    /// How much is waiting for the bot.
    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError>;

    /// The [`Queue::depth`] of each of these bots, as soon as it is known.
    fn depths(&self, bots: Vec<BotName>) -> BoxStream<'_, (BotName, Result<Depth, QueueError>)> {
        let asked = bots.into_iter().map(|bot| async move {
            let depth = self.depth(&bot).await;
            (bot, depth)
        });
        asked.collect::<FuturesUnordered<_>>().boxed()
    }

    /// Whether `publish` could succeed now.
    async fn ready(&self) -> Result<(), QueueError>;
}

/// A consumer of one bot's lanes. Dropping it gives up the ownership: what is unacked can be delivered to others at once.
pub struct Subscription {
    /// The epoch of the ownership held now, `None` while somebody else owns the bot or the broker is away. Nothing may
    /// be sent while this is `None`, nor for a delivery of an earlier epoch. A new epoch redelivers what was unacked.
    pub ownership: watch::Receiver<Option<u64>>,
    /// Notifications, urgent first as far as they are there; closed only when the queue shuts down.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// Whether another process should own the bot: then start nothing more, let what is under way end, and call
    /// [`Queue::release`]. May be taken back. Never asked where there is one process.
    pub release: watch::Receiver<bool>,
    /// What the owner before this one left, changed before the epoch is; `None` if it went without a [`Queue::release`].
    pub inherited: watch::Receiver<Option<HandOver>>,
}

/// One delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The notification.
    pub notification: Notification,
    /// What `ack` and `defer` want.
    pub receipt: Receipt,
    /// How many times it was delivered before and came back without an ack, as after a crash.
    pub redeliveries: u32,
}

/// Identifies a delivery; valid for one ownership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The bot whose it is.
    pub bot: BotName,
    /// The lane it came through.
    pub lane: Lane,
    /// The ownership it belongs to.
    pub epoch: u64,
    /// Its number; unique within bot, lane and epoch.
    pub tag: u64,
}

/// How much is waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready or unacked, by lane in the order of [`Lane::ALL`].
    pub lanes: [u64; 3],
}

/// Why the queue did not do it.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The receipt is of an ownership that has ended; the notification is redelivered to the current owner.
    #[error("the delivery is no longer ours")]
    Stale,
    /// Away or faulty; nothing was published. Holds no secret.
    #[error("queue: {0}")]
    Unavailable(String),
    /// Published, and no confirm has come: the queue may have it or not. Holds no secret.
    #[error("queue: {0}")]
    Unconfirmed(String),
    /// No room.
    #[error("queue is full: {0}")]
    Full(String),
}
