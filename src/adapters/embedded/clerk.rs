//! Who owns a bot, and the task that hands its notifications to the owner.
//!
//! A clerk stands in line at the bot's door; the one inside owns the bot. It first takes back what the former owner held,
//! then hands out what is due as far as the window allows, and sleeps until a publish, an ack, a defer or a due time
//! wakes it. What is out is marked in the file by the same statement that counts it, before it leaves: so a notification
//! that takes the process down is counted however fast it does so.

use super::fault::Fault;
use super::queue::{self, Batch};
use super::store::Store;
use super::writer::Durability;
use crate::domain::{BotName, Timestamp};
use crate::ports::Delivery;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedMutexGuard, mpsc, watch};

/// How long to wait before a failed write is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest sleep: due times are of the wall clock, which may be set while we sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The bots that somebody attends or attended.
#[derive(Default)]
pub struct Offices {
    by_bot: Mutex<HashMap<BotName, Arc<Office>>>,
    epochs: AtomicU64,
}

impl Offices {
    /// The office of a bot.
    pub fn open(&self, bot: &BotName) -> Arc<Office> {
        let mut offices = self.by_bot.lock().unwrap_or_else(PoisonError::into_inner);
        offices.entry(bot.clone()).or_default().clone()
    }

    /// Tells the clerk of a bot, if there is one, that something has changed. Called by the writer inside the
    /// transaction: what the clerk then asks for runs after it.
    pub fn wake(&self, bot: &BotName) {
        let offices = self.by_bot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(office) = offices.get(bot) {
            office.wake.notify_one();
        }
    }
}

/// One bot's ownership.
#[derive(Default)]
pub struct Office {
    door: Arc<tokio::sync::Mutex<()>>,
    wake: Notify,
    /// The epoch of the present owner, 0 for none.
    epoch: AtomicU64,
}

impl Office {
    /// Whether this ownership is the present one.
    pub fn is_present(&self, epoch: u64) -> bool {
        epoch != 0 && self.epoch.load(Ordering::SeqCst) == epoch
    }
}

/// An ownership, ended by dropping it.
struct Tenure<'a> {
    office: &'a Office,
    owned: &'a watch::Sender<Option<u64>>,
    _door: OwnedMutexGuard<()>,
}

impl Drop for Tenure<'_> {
    fn drop(&mut self) {
        self.office.epoch.store(0, Ordering::SeqCst);
        self.owned.send_replace(None);
    }
}

/// The task behind an subscription.
pub struct Clerk {
    /// The file.
    pub store: Arc<Store>,
    /// Everybody's ownership.
    pub offices: Arc<Offices>,
    /// Whose notifications.
    pub bot: BotName,
    /// How many may be out per lane.
    pub window: u16,
    /// Where the ownership is shown.
    pub owned: watch::Sender<Option<u64>>,
    /// Where the deliveries go; closed when the subscription is dropped. Holds all that may be out.
    pub deliveries: mpsc::Sender<Delivery>,
}

impl Clerk {
    /// Stands in line, owns, and goes when the subscription is dropped or the store closed.
    pub async fn run(self) {
        let office = self.offices.open(&self.bot);
        tokio::select! {
            () = self.own(&office) => {}
            () = self.deliveries.closed() => {}
            () = self.store.closed().cancelled() => {}
        }
    }

    async fn own(&self, office: &Office) {
        let door = office.door.clone().lock_owned().await;
        let epoch = self.offices.epochs.fetch_add(1, Ordering::SeqCst) + 1;
        office.epoch.store(epoch, Ordering::SeqCst);
        let _tenure = Tenure { office, owned: &self.owned, _door: door };
        loop {
            let bot = self.bot.clone();
            match self.write(move |conn| queue::take_back(conn, &bot)).await {
                Ok(()) => break,
                Err(fault) => self.pause(&fault).await,
            }
        }
        self.owned.send_replace(Some(epoch));
        loop {
            let (bot, window) = (self.bot.clone(), self.window);
            match self.write(move |conn| queue::hand_out(conn, &bot, epoch, window, Timestamp::now())).await {
                Ok(batch) => {
                    let wait = wait_after(&batch);
                    for delivered in batch.deliveries {
                        if self.deliveries.send(delivered).await.is_err() {
                            return;
                        }
                    }
                    // Either way there is something to look for, or it was the timer's turn.
                    let _ = tokio::time::timeout(wait, office.wake.notified()).await;
                }
                Err(fault) => self.pause(&fault).await,
            }
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.store.write(Durability::Process, work).await
    }

    async fn pause(&self, fault: &Fault) {
        tracing::warn!(bot = %self.bot, error = %fault, "the queue cannot be read now; trying again");
        tokio::time::sleep(PAUSE).await;
    }
}

fn wait_after(batch: &Batch) -> Duration {
    if batch.more {
        return Duration::ZERO;
    }
    match batch.next_due {
        // One more, so as not to wake within the millisecond before.
        Some(due) => (due.since(Timestamp::now()) + Duration::from_millis(1)).min(LONGEST_SLEEP),
        None => LONGEST_SLEEP,
    }
}
