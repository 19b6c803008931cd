//! Giving an ownership up in order: who asks for it, and where the request goes.

use crate::domain::BotName;
use crate::ports::{HandOver, QueueError};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Limit for [`Releases::release`]. After it the connection is in a bad way, and the bot goes without a word.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// A courier gives its bot up.
pub(super) struct Release {
    /// What it leaves to the next.
    pub(super) left: HandOver,
    /// Answered when the next can have it.
    pub(super) done: oneshot::Sender<()>,
}

/// Where each ownership takes its release, by epoch.
#[derive(Default)]
pub(super) struct Releases(Mutex<HashMap<u64, (BotName, mpsc::Sender<Release>)>>);

impl Releases {
    /// Adds an ownership; gives where its release will come.
    pub(super) fn add(&self, bot: &BotName, epoch: u64) -> mpsc::Receiver<Release> {
        let (sender, releases) = mpsc::channel(1);
        self.by_epoch().insert(epoch, (bot.clone(), sender));
        releases
    }

    pub(super) fn remove(&self, epoch: u64) {
        self.by_epoch().remove(&epoch);
    }

    /// Releases an ownership, and waits until that is done. [`QueueError::Stale`] if it has ended meanwhile.
    pub(super) async fn release(&self, bot: &BotName, epoch: u64, left: HandOver) -> Result<(), QueueError> {
        let found = self.by_epoch().get(&epoch).filter(|(owned, _)| owned == bot).map(|(_, sender)| sender.clone());
        let (done, is_done) = oneshot::channel();
        let sender = found.ok_or(QueueError::Stale)?;
        sender.send(Release { left, done }).await.map_err(|_| QueueError::Stale)?;
        match timeout(RELEASE_TIMEOUT, is_done).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(QueueError::Stale),
            Err(_) => Err(QueueError::Unavailable("RabbitMQ did not take the ownership back in time".to_owned())),
        }
    }

    fn by_epoch(&self) -> MutexGuard<'_, HashMap<u64, (BotName, mpsc::Sender<Release>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
