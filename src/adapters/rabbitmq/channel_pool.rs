//! The channels of one connection: a bounded pool for publishing, and single ones for consumers.

use crate::domain::BotName;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many publishes may be under way at once, each on a channel of its own. lapin credits a returned message to
/// whichever confirm comes next on the channel, so with two under way on one channel the lost one could pass as stored.
/// Far fewer keep a broker busy.
const MAX_POOLED_CHANNELS: usize = 128;

/// How many of them may be taken for one bot and one use, so that a queue that does not answer, or a courier that moves
/// thousands, holds back nobody else.
const MAX_CHANNELS_PER_USE: usize = 32;

/// For what a channel is taken.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum ChannelUse {
    /// To store a notification that a caller waits for.
    Accept(BotName),
    /// The same, by the detour of the node.
    Detour(BotName),
    /// To move a notification from one queue to another.
    Move(BotName),
    /// For what is seldom or small.
    Other,
}

pub(super) struct ChannelPool {
    pub(super) connection: Connection,
    permits: Arc<Semaphore>,
    permits_by_use: Mutex<HashMap<ChannelUse, Arc<Semaphore>>>,
    idle: Arc<Mutex<Vec<AutoCloseChannel>>>,
    unanswered_closes: Arc<AtomicUsize>,
    session_ended: CancellationToken,
}

impl ChannelPool {
    /// `session_ended`: from then on nobody waits for the broker to answer that a channel is closed.
    pub(super) fn new(connection: Connection, session_ended: CancellationToken) -> Self {
        Self {
            connection,
            permits: Arc::new(Semaphore::new(MAX_POOLED_CHANNELS)),
            permits_by_use: Mutex::default(),
            idle: Arc::default(),
            unanswered_closes: Arc::default(),
            session_ended,
        }
    }

    /// A fresh channel that is not part of the pool.
    pub(super) async fn open(&self) -> lapin::Result<AutoCloseChannel> {
        let channel = self.connection.create_channel().await?;
        let (unanswered_closes, session_ended) = (self.unanswered_closes.clone(), self.session_ended.clone());
        Ok(AutoCloseChannel { channel, unanswered_closes, session_ended })
    }

    /// A channel in confirm mode, for one use; waits for one if all are taken. One that is not given back by
    /// [`PooledChannel::give_back`] is closed: after an error or a timeout nobody knows what is still to come on it.
    pub(super) async fn acquire(&self, channel_use: ChannelUse) -> lapin::Result<PooledChannel> {
        let permits_of_use = self.permits_of(channel_use);
        let permit_of_use = permits_of_use.acquire_owned().await.expect("never closed");
        let permit = self.permits.clone().acquire_owned().await.expect("never closed");
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let channel = match idle {
            Some(channel) => channel,
            None => {
                let channel = self.open().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                channel
            }
        };
        Ok(PooledChannel { idle: self.idle.clone(), channel, _permits: (permit, permit_of_use) })
    }

    fn permits_of(&self, channel_use: ChannelUse) -> Arc<Semaphore> {
        let mut permits = self.permits_by_use.lock().unwrap_or_else(PoisonError::into_inner);
        permits.entry(channel_use).or_insert_with(|| Arc::new(Semaphore::new(MAX_CHANNELS_PER_USE))).clone()
    }

    /// How many channels are closed without the broker having said so.
    pub(super) fn unanswered_closes(&self) -> usize {
        self.unanswered_closes.load(Ordering::Relaxed)
    }
}

/// A channel that is closed when dropped, and counted until the broker says that it is.
pub(super) struct AutoCloseChannel {
    channel: Channel,
    unanswered_closes: Arc<AtomicUsize>,
    session_ended: CancellationToken,
}

impl Deref for AutoCloseChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for AutoCloseChannel {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (channel, session_ended) = (self.channel.clone(), self.session_ended.clone());
        let unanswered_closes = self.unanswered_closes.clone();
        unanswered_closes.fetch_add(1, Ordering::Relaxed);
        runtime.spawn(async move {
            // No longer than the session: a channel keeps its connection open.
            session_ended.run_until_cancelled(channel.close(200, "OK".into())).await;
            unanswered_closes.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// A channel of the pool, for one use.
pub(super) struct PooledChannel {
    idle: Arc<Mutex<Vec<AutoCloseChannel>>>,
    channel: AutoCloseChannel,
    _permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl PooledChannel {
    /// Everything went as it should: the next may use the channel.
    pub(super) fn give_back(self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.channel);
    }
}

impl Deref for PooledChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}
