//! Who owns which bot. Within one process a bot has one owner at a time; the others wait for its lock.

use super::limits::CLAIM_PAUSE;
use super::queue_rows::LaneCounts;
use super::row_counts::RowCounts;
use crate::domain::{BotName, Lane, Timestamp};
use crate::ports::{Delivery, HandOver};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{Notify, watch};

/// Every bot that was ever subscribed to, with its owner. Epochs are counted over all bots.
pub struct OwnershipTable {
    by_bot: Mutex<HashMap<BotName, Arc<BotOwnership>>>,
    epochs: AtomicU64,
    counts: Arc<RowCounts>,
}

impl OwnershipTable {
    /// Nobody owns a bot. The counts are those of the connection that writes.
    pub fn new(counts: Arc<RowCounts>) -> Self {
        Self { by_bot: Mutex::default(), epochs: AtomicU64::default(), counts }
    }

    /// How many rows wait for the owner of a bot and how many it has, by lane, as the present transaction has them; for the
    /// writer.
    pub fn present_lanes_of(&self, bot: &BotName) -> [LaneCounts; Lane::ALL.len()] {
        self.counts.present_lanes_of(bot)
    }

    /// The ownership of a bot, held by somebody or not.
    pub fn of(&self, bot: &BotName) -> Arc<BotOwnership> {
        self.by_bot().entry(bot.clone()).or_default().clone()
    }

    /// Waits for the ownership of a bot, then holds it under a new epoch until the guard is dropped.
    pub async fn acquire<'a>(
        &self,
        bot: &'a BotOwnership,
        published_epoch: &'a watch::Sender<Option<u64>>,
    ) -> OwnershipGuard<'a> {
        let lock = bot.lock.lock().await;
        let epoch = self.epochs.fetch_add(1, Ordering::SeqCst) + 1;
        bot.epoch.store(epoch, Ordering::SeqCst);
        OwnershipGuard { epoch, bot, published_epoch, _lock: lock }
    }

    /// Tells the dispatcher of a bot, if there is one, that its queue has changed. Called by the writer inside the
    /// transaction: what the dispatcher then asks for runs after it.
    pub fn wake_dispatcher(&self, bot: &BotName) {
        if let Some(ownership) = self.by_bot().get(bot) {
            ownership.queue_changed.notify_one();
        }
    }

    /// A place among the deliveries that the owner of a bot takes, with its epoch and window: if the bot is owned, its dispatcher
    /// sleeps, and the owner has taken what came before.
    pub fn reserve_place(&self, bot: &BotName) -> Option<(OwnedPermit<Delivery>, u64, u16)> {
        let ownership = self.by_bot().get(bot)?.clone();
        let (epoch, deliveries) = ownership.way().clone().filter(|(epoch, _)| ownership.is_current(*epoch))?;
        Some((deliveries.try_reserve_owned().ok()?, epoch, ownership.window()))
    }

    /// Whether the dispatcher of a bot must be woken for a row that was put into its queue, ready or due at a moment.
    pub fn is_news(&self, bot: &BotName, lane: LaneCounts, due: Option<Timestamp>) -> bool {
        let Some(ownership) = self.by_bot().get(bot).cloned() else { return false };
        match due {
            // While the owner has as many as it may have, the dispatcher is woken when one of them is acked or deferred.
            None => lane.unacked < u64::from(ownership.window()),
            // It looks by itself when the next row is due, unless it should have done so already: the clock was set.
            Some(due) => {
                let next_look = Timestamp::from_unix_millis(ownership.next_look.load(Ordering::SeqCst));
                due < next_look || next_look <= Timestamp::now()
            }
        }
    }

    fn by_bot(&self) -> MutexGuard<'_, HashMap<BotName, Arc<BotOwnership>>> {
        self.by_bot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One bot's ownership.
#[derive(Default)]
pub struct BotOwnership {
    lock: tokio::sync::Mutex<()>,
    queue_changed: Notify,
    room_made: Notify,
    /// The epoch of the present owner, 0 for none.
    epoch: AtomicU64,
    /// How many of each lane the present owner may have unacked.
    window: AtomicU16,
    /// When the dispatcher looks again by itself, as the last claim left it, in Unix milliseconds.
    next_look: AtomicI64,
    /// What the last owner left for the next.
    left: Mutex<Option<HandOver>>,
    released: Notify,
    /// While the dispatcher sleeps: the way past it, and the epoch for which it leads to the owner.
    way: Mutex<Option<(u64, mpsc::Sender<Delivery>)>>,
}

impl BotOwnership {
    /// Ends the ownership of this epoch and leaves something for the next; `false` if it has ended already.
    pub fn release(&self, epoch: u64, left: HandOver) -> bool {
        let mut slot = self.left();
        let is_current =
            epoch != 0 && self.epoch.compare_exchange(epoch, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if is_current {
            *slot = Some(left);
            self.released.notify_one();
        }
        is_current
    }

    /// Returns when the ownership of this epoch was released.
    pub async fn wait_until_released(&self, epoch: u64) {
        while self.is_current(epoch) {
            self.released.notified().await;
        }
    }

    /// Takes what the last owner has left.
    pub fn take_left(&self) -> Option<HandOver> {
        self.left().take()
    }

    fn left(&self) -> MutexGuard<'_, Option<HandOver>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the ownership of this epoch is the present one.
    pub fn is_current(&self, epoch: u64) -> bool {
        epoch != 0 && self.epoch.load(Ordering::SeqCst) == epoch
    }

    /// How many of each lane the present owner may have unacked.
    pub fn window(&self) -> u16 {
        self.window.load(Ordering::SeqCst)
    }

    /// Says how many of each lane this owner may have unacked.
    pub fn set_window(&self, window: u16) {
        self.window.store(window, Ordering::SeqCst);
    }

    /// Says when the dispatcher looks again by itself. For a claim, inside its transaction: what is put into the queue after it is
    /// compared with this.
    pub fn looks_again(&self, at: Timestamp) {
        self.next_look.store(at.unix_millis(), Ordering::SeqCst);
    }

    /// Says that there is room for a row that is ready, but not for enough of them to claim them now.
    pub fn make_room(&self) {
        self.room_made.notify_one();
    }

    /// Lets deliveries pass the dispatcher until the guard is dropped.
    pub fn open_way(&self, epoch: u64, deliveries: &mpsc::Sender<Delivery>) -> OpenWay<'_> {
        *self.way() = Some((epoch, deliveries.clone()));
        OpenWay(self)
    }

    fn way(&self) -> MutexGuard<'_, Option<(u64, mpsc::Sender<Delivery>)>> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the queue has changed since the last call, or some time after room was made.
    pub async fn is_worth_a_claim(&self) {
        tokio::select! {
            () = self.queue_changed.notified() => {}
            () = self.room_made.notified() => {
                let _ = tokio::time::timeout(CLAIM_PAUSE, self.queue_changed.notified()).await;
            }
        }
    }
}

/// A way past the dispatcher, closed by dropping it.
pub struct OpenWay<'a>(&'a BotOwnership);

impl Drop for OpenWay<'_> {
    fn drop(&mut self) {
        *self.0.way() = None;
    }
}

/// A held ownership, given up by dropping it.
pub struct OwnershipGuard<'a> {
    /// Its epoch, which receipts carry.
    pub epoch: u64,
    bot: &'a BotOwnership,
    published_epoch: &'a watch::Sender<Option<u64>>,
    _lock: tokio::sync::MutexGuard<'a, ()>,
}

impl Drop for OwnershipGuard<'_> {
    fn drop(&mut self) {
        self.bot.epoch.store(0, Ordering::SeqCst);
        self.published_epoch.send_replace(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_dispatcher_is_woken_for_what_it_would_not_find_by_itself() {
        let (owners, bot) = (OwnershipTable::new(Arc::default()), BotName::default_bot());
        let lane = |unacked| LaneCounts { ready: 1, unacked };
        assert!(!owners.is_news(&bot, lane(0), None), "nobody ever owned it");
        let ownership = owners.of(&bot);
        ownership.set_window(2);
        assert!(owners.is_news(&bot, lane(1), None) && !owners.is_news(&bot, lane(2), None));

        let now = Timestamp::now();
        let is_news = |seconds| owners.is_news(&bot, lane(2), Some(now.plus(Duration::from_secs(seconds))));
        ownership.looks_again(now.plus(Duration::from_secs(30)));
        assert!(is_news(29) && !is_news(30));
        ownership.looks_again(now.minus(Duration::from_secs(1)));
        assert!(is_news(30), "the clock was set");
    }
}
