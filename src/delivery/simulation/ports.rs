//! The ports of a worker, over its links to the servers of its world.

use super::judge::chat_number;
use super::link::{Away, Link};
use super::queue::Stale;
use super::state::{Part, State};
use crate::domain::{BotName, Filter, Notification, NotificationId, Record, RecordUpdate, Sha256, Status, Timestamp};
use crate::ports::{
    Begin, BeginConditions, BlobError, BlobStream, Blobs, Cancelled, DeepestChats, Depth, FileIds, FileKey, HandOver,
    Ledger, LedgerError, ListQuery, MediaIndex, OpenByLane, Queue, QueueError, Receipt, RecordPage, Spooled,
    Subscription,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

fn gone(_: Away) -> LedgerError {
    LedgerError::Unavailable("away".to_owned())
}

fn lost(_: Away) -> QueueError {
    QueueError::Unavailable("away".to_owned())
}

fn stale(_: Stale) -> QueueError {
    QueueError::Stale
}

#[async_trait]
impl Queue for Link {
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError> {
        let notification = notification.clone();
        let publish = move |state: &mut State| {
            let now = state.now();
            state.queue.publish(now, notification, now);
        };
        self.ask(Part::Queue, publish).await.map_err(lost)
    }

    async fn subscribe(&self, _bot: &BotName, window: u16) -> Result<Subscription, QueueError> {
        let (ownership, deliveries) = self.shared.lock().queue.subscribe(self.worker, window);
        self.shared.elect_later();
        let (release, inherited) = (watch::channel(false).1, watch::channel(None).1);
        Ok(Subscription { ownership, deliveries, release, inherited })
    }

    /// The next owner learns nothing: it begins with a second of silence.
    async fn release(&self, _bot: &BotName, _epoch: u64, _left: HandOver) -> Result<(), QueueError> {
        Ok(())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        let (worker, receipt) = (self.worker, receipt.clone());
        let ack = move |state: &mut State| {
            let acked = state.queue.ack(worker, &receipt)?;
            let now = state.now();
            state.note(|| format!("worker {worker} acks {}", acked.id));
            if !state.queue.has_copy(acked.id) {
                state.judge.acked(now, acked.id, acked.accepted_at, state.ledger.get(acked.id));
            }
            Ok(())
        };
        self.ask(Part::Queue, ack).await.map_err(lost)?.map_err(stale)
    }

    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError> {
        let (worker, receipt, notification) = (self.worker, receipt.clone(), notification.clone());
        let defer = move |state: &mut State| {
            let (now, until) = (state.now(), state.moment(until));
            let wait = until.saturating_sub(now);
            // A delay queue is as exact as its width: up to half of the wait early, or a second late.
            let early = wait.mul_f64(state.random.f64() / 2.0);
            let due = now + wait + Duration::from_millis(state.random.u64(..1_000)) - early;
            state.note(|| format!("worker {worker} defers {} to {due:?}", notification.id));
            state.queue.defer(worker, &receipt, notification, due).map(|()| due)
        };
        let due = self.ask(Part::Queue, defer).await.map_err(lost)?.map_err(stale)?;
        self.shared.wake_queue(due);
        Ok(())
    }

    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError> {
        let bot = bot.clone();
        let lanes = self.ask(Part::Queue, move |state| state.queue.depth(&bot)).await.map_err(lost)?;
        Ok(Depth { lanes })
    }

    async fn ready(&self) -> Result<(), QueueError> {
        self.ask(Part::Queue, |_| ()).await.map_err(lost)
    }
}

#[async_trait]
impl Ledger for Link {
    async fn begin_with(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
        wanted: &[FileKey],
    ) -> Result<(Begin, FileIds), LedgerError> {
        let wanted = wanted.to_vec();
        let (worker, id, conditions, notification) = (self.worker, notification.id, *conditions, notification.clone());
        let begin = move |state: &mut State| {
            let begun = state.ledger.begin(&notification, at, &conditions, worker);
            state.note(|| format!("worker {worker} begins {id}: {begun:?}"));
            if let Begin::Proceed { .. } = begun {
                let (now, is_alive) = (state.now(), state.is_alive(worker));
                state.judge.began(now, id, worker, is_alive);
                let found = wanted.iter().filter_map(|key| Some((*key, state.file_ids.get(key)?.clone()))).collect();
                return (begun, found);
            }
            (begun, FileIds::new())
        };
        let begun = self.ask(Part::Ledger, begin).await;
        if let Err(Away { took_effect: true }) = begun {
            self.shared.lock().ledger.mark_unanswered(id, worker);
        }
        begun.map_err(gone)
    }

    async fn settle_with(
        &self,
        notification: &Notification,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<bool, LedgerError> {
        let (worker, notification, update) = (self.worker, notification.clone(), update.clone());
        let learnt = learnt.clone();
        self.shared.lock().judge.leaves(notification.id, worker);
        let settle = move |state: &mut State| {
            state.file_ids.extend(learnt);
            let (id, status) = (notification.id, update.status);
            let outcome = update.attempt.as_ref().map(|attempt| attempt.outcome);
            let settled = state.ledger.settle(&notification, update, worker);
            state.note(|| format!("worker {worker} settles {id} as {status:?} after {outcome:?}: {settled}"));
            let (now, chat) = (state.now(), chat_number(&notification));
            if settled {
                state.judge.settled(now, id, outcome, chat);
            }
            settled
        };
        self.ask(Part::Ledger, settle).await.map_err(gone)
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        let cancel = move |state: &mut State| {
            let cancelled = state.ledger.cancel(id, at);
            if let Cancelled::Done(_) = cancelled {
                state.note(|| format!("{id} is cancelled"));
                state.judge.cancelled(id);
            }
            cancelled
        };
        self.ask(Part::Ledger, cancel).await.map_err(gone)
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        self.ask(Part::Ledger, move |state| state.ledger.get(id).cloned()).await.map_err(gone)
    }

    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let query = query.clone();
        self.ask(Part::Ledger, move |state| state.ledger.list(&query)).await.map_err(gone)
    }

    async fn count(&self, _filter: &Filter) -> Result<BTreeMap<Status, u64>, LedgerError> {
        // No courier counts records.
        Ok(BTreeMap::new())
    }

    async fn end_lost(&self, _before: Timestamp, _at: Timestamp) -> Result<Vec<(BotName, Status)>, LedgerError> {
        // Whatever is lost in a world is for the judge to find.
        Ok(Vec::new())
    }

    async fn sweep(&self, _finished_before: Timestamp) -> Result<u64, LedgerError> {
        // A world does not last as long as records are kept.
        Ok(0)
    }

    async fn count_open(&self, bots: &[BotName]) -> Result<Vec<OpenByLane>, LedgerError> {
        // Couriers do not ask.
        Ok(vec![OpenByLane::default(); bots.len()])
    }

    async fn deepest_chats(&self, _bot: &BotName, _limit: usize) -> Result<DeepestChats, LedgerError> {
        // Couriers do not ask.
        Ok(DeepestChats::default())
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.ask(Part::Ledger, |_| ()).await.map_err(gone)
    }
}

#[async_trait]
impl MediaIndex for Link {
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError> {
        let key = *key;
        self.ask(Part::Ledger, move |state| state.file_ids.get(&key).cloned()).await.map_err(gone)
    }

    async fn keep(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        let (key, file_id) = (*key, file_id.to_owned());
        self.ask(Part::Ledger, move |state| drop(state.file_ids.insert(key, file_id))).await.map_err(gone)
    }

    async fn evict(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        let (key, file_id) = (*key, file_id.to_owned());
        let evict = move |state: &mut State| {
            if state.file_ids.get(&key) == Some(&file_id) {
                state.file_ids.remove(&key);
            }
        };
        self.ask(Part::Ledger, evict).await.map_err(gone)
    }

    async fn pin(&self, _sha256: &Sha256, _until: Timestamp) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn is_pinned(&self, _sha256: &Sha256, _at: Timestamp) -> Result<bool, LedgerError> {
        Ok(true)
    }
}

/// The size of every blob, in bytes.
pub const BLOB_SIZE: u64 = 150_000;

#[async_trait]
impl Blobs for Link {
    async fn put(&self, _file: &Spooled) -> Result<bool, BlobError> {
        Ok(false)
    }

    async fn stat(&self, _sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        Ok(Some(BLOB_SIZE))
    }

    async fn open(&self, _sha256: &Sha256) -> Result<Option<(u64, BlobStream)>, BlobError> {
        match self.ask(Part::Blobs, |_| ()).await {
            Ok(()) => Ok(Some((BLOB_SIZE, Box::pin(futures_util::stream::empty())))),
            Err(_) => Err(BlobError::Unavailable("away".to_owned())),
        }
    }

    async fn sweep(&self, _unused_since: Timestamp, _pins: &dyn MediaIndex) -> Result<u64, BlobError> {
        Ok(0)
    }

    async fn ready(&self) -> Result<(), BlobError> {
        Ok(())
    }
}
