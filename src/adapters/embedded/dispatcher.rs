//! The task that hands a bot's notifications to the bot's owner (the consumer).
//!
//! There is one dispatcher per subscription. It waits for the ownership of its bot, requeues what the former owner left
//! unacked (at-least-once), then claims what is due as far as the window (the prefetch) allows, and sleeps until a
//! publish, a defer or a due time wakes it, or acks have made room: for many more, or for a few a moment ago. A claim for
//! each ack would cost as much as the ack. While it sleeps, what is accepted goes past it if no row of its lane is ready
//! (`handing_over`). What is claimed is marked in the file by the same statement that counts the delivery, before it leaves:
//! a notification that takes the process down is counted however fast it does so.

use super::claim::{self, ClaimedBatch};
use super::limits::{DISPATCH_RETRY_DELAY, MAX_DISPATCHER_SLEEP, MAX_REST};
use super::ownership_table::{BotOwnership, OwnershipTable};
use super::queue_rows;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{BotName, Timestamp};
use crate::ports::{Delivery, HandOver};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// The task behind a subscription.
pub struct Dispatcher {
    /// The file.
    pub store: Arc<SqliteStore>,
    /// The owners of all bots.
    pub owners: Arc<OwnershipTable>,
    /// The bot whose notifications it hands out.
    pub bot: BotName,
    /// How many notifications may be unacked per lane.
    pub window: u16,
    /// Where the epoch of the held ownership is published, `None` while it is not held.
    pub epoch: watch::Sender<Option<u64>>,
    /// Where it is published what the former owner left.
    pub inherited: watch::Sender<Option<HandOver>>,
    /// Where the deliveries go; closed when the subscription is dropped. Whoever takes them sets the pace: the next claim waits
    /// until all of the one before is taken, so that no more than one is in memory.
    pub deliveries: mpsc::Sender<Delivery>,
}

impl Dispatcher {
    /// Waits for the ownership, dispatches, and ends when the subscription is dropped or the store closed.
    pub async fn run(self) {
        let ownership = self.owners.of(&self.bot);
        tokio::select! {
            () = self.own_again_and_again(&ownership) => {}
            () = self.deliveries.closed() => {}
            () = self.store.closed().cancelled() => {}
        }
    }

    async fn own_again_and_again(&self, ownership: &BotOwnership) {
        loop {
            let guard = self.owners.acquire(ownership, &self.epoch).await;
            tokio::select! {
                () = self.dispatch(ownership, guard.epoch) => return,
                () = ownership.wait_until_released(guard.epoch) => {}
            }
        }
    }

    async fn dispatch(&self, ownership: &BotOwnership, epoch: u64) {
        let window = self.window;
        ownership.set_window(window);
        let requeue = || {
            let bot = self.bot.clone();
            move |conn: &Connection| queue_rows::requeue_unacked(conn, &bot)
        };
        while self.write_until_done(requeue()).await {}
        self.inherited.send_replace(ownership.take_left());
        self.epoch.send_replace(Some(epoch));
        loop {
            let (bot, owners) = (self.bot.clone(), self.owners.clone());
            let claim =
                move |conn: &Connection| claim::claim_batch(conn, &owners, &bot, epoch, window, Timestamp::now());
            let began = Instant::now();
            let batch = self.write_until_done(claim).await;
            let (sleep, rest) = (time_to_next_claim(&batch), rest_after(began.elapsed()));
            for delivery in batch.deliveries {
                if self.deliveries.send(delivery).await.is_err() {
                    return;
                }
            }
            // Until the last is taken.
            if self.deliveries.reserve_many(self.deliveries.max_capacity()).await.is_err() {
                return;
            }
            if batch.made_many_ready {
                tokio::time::sleep(rest).await;
                continue;
            }
            // What is accepted meanwhile may go past it.
            let _way = ownership.open_way(epoch, &self.deliveries);
            // Either way it is time to look again: the queue has changed, or something is due.
            let _ = tokio::time::timeout(sleep, ownership.is_worth_a_claim()).await;
        }
    }

    /// Repeats a write until it succeeds. What is claimed need not survive a power cut: it is requeued then.
    async fn write_until_done<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Clone + Send + 'static,
    {
        loop {
            match self.store.write(Durability::Process, work.clone()).await {
                Ok(done) => return done,
                Err(error) => {
                    tracing::warn!(bot = %self.bot, %error, "the queue cannot be read now; trying again");
                    tokio::time::sleep(DISPATCH_RETRY_DELAY).await;
                }
            }
        }
    }
}

/// How long to rest after a claim that found more due than it makes ready: as long as it took, so that disk and writer are free for
/// others half of the time. One that had to be repeated took as long as the disk was full.
fn rest_after(claim: Duration) -> Duration {
    claim.min(MAX_REST)
}

fn time_to_next_claim(batch: &ClaimedBatch) -> Duration {
    if batch.more {
        return Duration::ZERO;
    }
    // One more, so as not to wake within the millisecond before.
    let due = batch.next_due.map(|due| due.since(Timestamp::now()) + Duration::from_millis(1));
    due.map_or(MAX_DISPATCHER_SLEEP, |due| due.min(MAX_DISPATCHER_SLEEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_after_a_claim_is_short_however_long_it_could_not_be_written() {
        assert_eq!(rest_after(Duration::from_millis(7)), Duration::from_millis(7));
        assert_eq!(rest_after(Duration::from_secs(600)), MAX_REST);
    }
}
