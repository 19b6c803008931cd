//! Going on while Redis is away: what couriers write waits in memory until it is back, and outcomes, which nobody could
//! learn again, in the journal too.
//!
//! A change goes to Redis at once while Redis answers and nothing older waits for the same subject; else it joins that
//! subject's line. When a command fails, Redis counts as away: nobody waits for it any more, and a task tries every
//! second or so to write something, writes what is waiting, and only then lets that subject's next change through.
//! Attempts begin without Redis only after [`HICCUP`]: until then it may hold a cancel.
//!
//! What is in memory dies with the process: then a file_id is learnt again, and a record lacks attempts before the last.
//! An outcome does not count as settled before it is in Redis or in the journal, from which any process takes it over
//! ([`BufferedLedger::take_over`]) when Redis is back. Another process that asks in the moments between Redis being back
//! and all being written sees the status of before.

use super::RedisLedger;
use super::pending::{Change, Full, Pending, Subject};
use crate::domain::{DeliveryGuarantee, Notification, NotificationId, Record, RecordUpdate, Sha256, Timestamp};
use crate::ports::{
    Begin, Cancelled, FileKey, Journal, JournalEntry, Ledger, LedgerError, ListQuery, MediaIndex, RecordPage,
};
use async_trait::async_trait;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Changes that may wait; with more, nothing is taken that could not be written.
const ROOM: usize = 100_000;
/// File_ids remembered for the time without Redis, twice.
const KNOWN: usize = 10_000;
/// Changes written side by side when Redis is back; leaves connections to the rest.
const WRITERS: usize = 8;
/// How long Redis must have been away without a break before attempts begin without asking it: a caller who was told
/// "cancelled" is not proved wrong by a lost connection or a restart.
const HICCUP: Duration = Duration::from_secs(5);
/// Between two looks whether Redis is back: doubles from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Between two looks whether the journal can be taken over.
const LOOK: Duration = Duration::from_millis(250);

/// [`Ledger`] and [`MediaIndex`] over [`RedisLedger`], for which Redis may be away.
pub struct BufferedLedger {
    shared: Arc<Shared>,
    flusher: AbortHandle,
}

struct Shared {
    redis: Arc<RedisLedger>,
    journal: Option<Arc<dyn Journal>>,
    /// Since when Redis is away: the first command that failed since Redis last took a change.
    away_since: Mutex<Option<Instant>>,
    pending: Mutex<Pending>,
    known: Mutex<Known>,
    buffered: watch::Sender<usize>,
    wake: Notify,
}

impl BufferedLedger {
    /// A ledger whose outcomes, too, wait in memory alone. Starts the task that writes what waits, in the current
    /// runtime; it ends when this is dropped.
    pub fn new(redis: Arc<RedisLedger>) -> Arc<Self> {
        Self::start(redis, None)
    }

    /// The same with a journal for outcomes. What is noted there must be given to [`BufferedLedger::take_over`].
    pub fn with_journal(redis: Arc<RedisLedger>, journal: Arc<dyn Journal>) -> Arc<Self> {
        Self::start(redis, Some(journal))
    }

    fn start(redis: Arc<RedisLedger>, journal: Option<Arc<dyn Journal>>) -> Arc<Self> {
        let shared = Arc::new(Shared {
            redis,
            journal,
            away_since: Mutex::default(),
            pending: Mutex::new(Pending::new(ROOM)),
            known: Mutex::default(),
            buffered: watch::Sender::new(0),
            wake: Notify::new(),
        });
        let flusher = tokio::spawn(Arc::clone(&shared).keep_writing()).abort_handle();
        Arc::new(Self { shared, flusher })
    }

    /// How many changes wait in memory.
    pub fn buffered(&self) -> usize {
        *self.shared.buffered.borrow()
    }

    /// Waits until nothing waits in memory, but not longer than `deadline`; returns how many changes still do.
    pub async fn flush(&self, deadline: Instant) -> usize {
        let mut buffered = self.shared.buffered.subscribe();
        let empty = buffered.wait_for(|count| *count == 0);
        let _ = tokio::time::timeout_at(deadline, empty).await;
        self.buffered()
    }

    /// Waits until Redis is there and nothing waits in memory: then the journal can be taken over.
    pub async fn caught_up(&self) {
        while self.present().is_err() || self.buffered() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Writes an outcome from the journal into Redis. Once written, again does nothing.
    pub async fn take_over(&self, outcome: &JournalEntry) -> Result<(), LedgerError> {
        let shared = &self.shared;
        shared.ask(shared.redis.settle(&outcome.notification, &outcome.update)).await.map(drop)
    }

    pub(super) fn redis(&self) -> &RedisLedger {
        &self.shared.redis
    }

    /// Fails at once while Redis is known to be away.
    pub(super) fn present(&self) -> Result<(), LedgerError> {
        self.shared.present()
    }

    /// Says that a command has failed.
    pub(super) fn failed(&self) {
        self.shared.failed();
    }

    /// The record of a notification that has just been accepted.
    pub(super) async fn create(&self, notification: &Notification) -> Result<(), LedgerError> {
        self.shared.write(Change::Create(notification.clone())).await.map(drop)
    }

    /// The mark that a key's request is accepted.
    pub(super) async fn finish(&self, key: &str) -> Result<(), LedgerError> {
        self.shared.write(Change::Finish(key.to_owned())).await.map(drop)
    }
}

impl Drop for BufferedLedger {
    fn drop(&mut self) {
        self.flusher.abort();
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> Result<(), LedgerError> {
        match *self.away_since() {
            Some(_) => Err(LedgerError::Unavailable("Redis is away".to_owned())),
            None => Ok(()),
        }
    }

    /// Whether Redis has been away for longer than a hiccup.
    fn is_missed(&self) -> bool {
        self.away_since().is_some_and(|since| since.elapsed() >= HICCUP)
    }

    fn failed(&self) {
        self.away_since().get_or_insert_with(Instant::now);
        self.wake.notify_one();
    }

    /// The answer of Redis, unless it is known to be away.
    async fn ask<T>(&self, answer: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        self.present()?;
        answer.await.inspect_err(|_| self.failed())
    }

    /// Nothing of this subject may be read or changed in Redis while older changes of it wait.
    fn clear(&self, subject: &Subject) -> Result<(), LedgerError> {
        match self.pending().has(subject) {
            true => Err(LedgerError::Unavailable("earlier changes are not written yet".to_owned())),
            false => Ok(()),
        }
    }

    /// Writes a change, now or later; whether it changed anything.
    async fn write(&self, change: Change) -> Result<bool, LedgerError> {
        if let Some(changed) = self.write_now(&change).await {
            return Ok(changed);
        }
        self.push(change)?;
        Ok(true)
    }

    /// Writes an outcome, now, or to the journal and later: memory alone would not do.
    async fn write_outcome(&self, journal: &dyn Journal, outcome: JournalEntry) -> Result<bool, LedgerError> {
        let change = Change::Settle(outcome.notification.clone(), outcome.update.clone().into());
        if let Some(changed) = self.write_now(&change).await {
            return Ok(changed);
        }
        journal.append(&outcome).await.map_err(|error| {
            LedgerError::Unavailable(format!("Redis is away, and the journal takes no outcome: {error}"))
        })?;
        // In its line it stops another copy at once. Where there is no room, it is safe all the same.
        let _ = self.push(change);
        Ok(true)
    }

    /// Writes a change if that can be done now; whether it changed anything.
    async fn write_now(&self, change: &Change) -> Option<bool> {
        self.clear(&change.subject()).ok()?;
        self.ask(self.apply(change)).await.ok()
    }

    fn push(&self, change: Change) -> Result<(), LedgerError> {
        self.add(|pending| pending.push(change))
    }

    fn add<T>(&self, add: impl FnOnce(&mut Pending) -> Result<T, Full>) -> Result<T, LedgerError> {
        let mut pending = self.pending();
        let added = add(&mut pending)
            .map_err(|_| LedgerError::Unavailable(format!("Redis is away and {ROOM} changes wait for it already")))?;
        self.buffered.send_replace(pending.len());
        self.wake.notify_one();
        Ok(added)
    }

    async fn apply(&self, change: &Change) -> Result<bool, LedgerError> {
        let redis = &self.redis;
        match change {
            Change::Create(notification) => redis.create(notification).await,
            Change::Begin { notification, at, .. } => redis.begin(notification, *at).await.map(|_| true),
            Change::Settle(notification, update) => redis.settle(notification, update).await,
            Change::Keep(key, file_id) => redis.keep(key, file_id).await.map(|()| true),
            Change::Evict(key, file_id) => redis.evict(key, file_id).await.map(|()| true),
            Change::Pin(sha256, until) => redis.pin(sha256, *until).await.map(|()| true),
            Change::Finish(key) => redis.finish(key).await.map(|()| true),
        }
    }

    async fn keep_writing(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            let mut pause = PAUSES.0;
            while self.present().is_err() || self.pending().len() > 0 {
                if self.write_all().await.is_ok() {
                    continue;
                }
                tokio::time::sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
                pause = PAUSES.1.min(pause * 2);
            }
        }
    }

    /// Writes until nothing is left, or one fails.
    async fn write_all(&self) -> Result<(), LedgerError> {
        self.redis.probe().await?;
        *self.away_since() = None;
        let writers = (0..WRITERS).map(|_| async {
            loop {
                let Some((subject, change)) = self.pending().take() else { return Ok(()) };
                let written = self.apply(&change).await;
                self.done(subject, written.is_ok());
                written?;
            }
        });
        join_all(writers).await.into_iter().collect()
    }

    fn done(&self, subject: Subject, written: bool) {
        let mut pending = self.pending();
        if written {
            pending.written(subject);
        } else {
            self.failed();
            pending.failed(subject);
        }
        self.buffered.send_replace(pending.len());
    }
}

#[async_trait]
impl Ledger for BufferedLedger {
    /// While Redis is away: fails during a [`HICCUP`], then goes on for `at_least_once`, and marks the attempt when
    /// Redis is back. `at_most_once` must have its mark before the request leaves, so it has to wait. Of the cut-offs,
    /// only those that wait in memory are known then.
    async fn begin(&self, notification: &Notification, at: Timestamp) -> Result<Begin, LedgerError> {
        let (shared, subject) = (&self.shared, Subject::Notification(notification.id));
        if let Some(status) = shared.pending().stop(notification) {
            return Ok(Begin::Skip(status));
        }
        let begun = match shared.clear(&subject) {
            Ok(()) => shared.ask(shared.redis.begin(notification, at)).await,
            Err(error) => Err(error),
        };
        if begun.is_ok() || notification.delivery == DeliveryGuarantee::AtMostOnce || !shared.is_missed() {
            return begun;
        }
        let (interrupted, interrupted_attempts) = shared.add(|pending| pending.begin(notification, at))?;
        shared.redis.unmark(notification.id);
        Ok(Begin::Proceed { interrupted, interrupted_attempts })
    }

    async fn settle(&self, notification: &Notification, update: &RecordUpdate) -> Result<bool, LedgerError> {
        if self.shared.pending().stop(notification).is_some() {
            return Ok(false);
        }
        let (notification, update) = (notification.clone(), update.clone());
        match &self.shared.journal {
            Some(journal) if update.status.is_final() => {
                self.shared.write_outcome(&**journal, JournalEntry { notification, update }).await
            }
            _ => self.shared.write(Change::Settle(notification, update.into())).await,
        }
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        self.shared.clear(&Subject::Notification(id))?;
        self.shared.ask(self.shared.redis.cancel(id, at)).await
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        self.shared.clear(&Subject::Notification(id))?;
        self.shared.ask(self.shared.redis.get(id)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        self.shared.ask(self.shared.redis.list(query)).await
    }

    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        self.shared.ask(self.shared.redis.sweep(finished_before)).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.shared.ask(self.shared.redis.ready()).await
    }
}

#[async_trait]
impl MediaIndex for BufferedLedger {
    /// While Redis is away: what was kept or asked for lately is known.
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError> {
        let shared = &self.shared;
        match shared.pending().last(&Subject::File(*key)) {
            Some(Change::Keep(_, file_id)) => return Ok(Some(file_id.clone())),
            Some(_) => return Ok(None),
            None => {}
        }
        match shared.ask(shared.redis.file_id(key)).await {
            Ok(file_id) => {
                let mut known = shared.known();
                match &file_id {
                    Some(file_id) => known.insert(*key, file_id.clone()),
                    None => known.remove(key),
                }
                Ok(file_id)
            }
            Err(error) => shared.known().get(key).map(Some).ok_or(error),
        }
    }

    async fn keep(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        self.shared.known().insert(*key, file_id.to_owned());
        self.shared.write(Change::Keep(*key, file_id.to_owned())).await.map(drop)
    }

    async fn evict(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        {
            let mut known = self.shared.known();
            if known.get(key).is_some_and(|known| known == file_id) {
                known.remove(key);
            }
        }
        self.shared.write(Change::Evict(*key, file_id.to_owned())).await.map(drop)
    }

    async fn pin(&self, sha256: &Sha256, until: Timestamp) -> Result<(), LedgerError> {
        self.shared.write(Change::Pin(*sha256, until)).await.map(drop)
    }

    async fn is_pinned(&self, sha256: &Sha256, at: Timestamp) -> Result<bool, LedgerError> {
        if matches!(self.shared.pending().last(&Subject::Blob(*sha256)), Some(Change::Pin(_, until)) if *until > at) {
            return Ok(true);
        }
        self.shared.clear(&Subject::Blob(*sha256))?;
        self.shared.ask(self.shared.redis.is_pinned(sha256, at)).await
    }
}

/// File_ids in two halves: when the younger is full, the older is forgotten, and what is used moves to the younger.
#[derive(Default)]
struct Known {
    young: HashMap<FileKey, String>,
    old: HashMap<FileKey, String>,
}

impl Known {
    fn get(&mut self, key: &FileKey) -> Option<String> {
        if let Some(file_id) = self.old.remove(key) {
            self.insert(*key, file_id);
        }
        self.young.get(key).cloned()
    }

    fn insert(&mut self, key: FileKey, file_id: String) {
        if self.young.len() >= KNOWN && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, file_id);
    }

    fn remove(&mut self, key: &FileKey) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MediaKind;

    #[test]
    fn file_ids_that_are_used_outlive_those_that_are_not() {
        let key = |bot_id| FileKey { bot_id, kind: MediaKind::Photo, sha256: Sha256::of(b"x") };
        let mut known = Known::default();
        known.insert(key(0), "used".into());
        known.insert(key(1), "unused".into());
        for bot_id in 2..3 * KNOWN as u64 {
            known.insert(key(bot_id), "another".into());
            assert_eq!(known.get(&key(0)).as_deref(), Some("used"));
        }
        assert_eq!(known.get(&key(1)), None);
        assert!(known.young.len() + known.old.len() <= 2 * KNOWN);
    }
}
