//! Writes to Redis now, or keeps the write for later.

use super::availability::{Presence, RedisAvailability};
use super::ledger_change::{EntityKey, LedgerChange};
use super::pending_writes::{PendingWrites, PendingWritesFullError};
use crate::adapters::redis::ledger::RedisLedger;
use crate::domain::Notification;
use crate::ports::{FileIds, Journal, JournalEntry, Ledger, LedgerError, MediaIndex};
use futures_util::TryFutureExt;
use futures_util::future::{Either, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// How many changes may wait in memory. Once there are so many, further ones are refused.
const MAX_PENDING_WRITES: usize = 100_000;

pub(super) struct WriteBehindBuffer {
    pub(super) redis: Arc<RedisLedger>,
    pub(super) availability: RedisAvailability,
    pending: Mutex<PendingWrites>,
    /// How many changes are pending.
    pub(super) pending_count: watch::Sender<usize>,
    /// Wakes the task that flushes.
    pub(super) flush_needed: Notify,
}

impl WriteBehindBuffer {
    pub(super) fn new(redis: Arc<RedisLedger>) -> Self {
        Self {
            redis,
            availability: RedisAvailability::default(),
            pending: Mutex::new(PendingWrites::new(MAX_PENDING_WRITES)),
            pending_count: watch::Sender::new(0),
            flush_needed: Notify::new(),
        }
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, PendingWrites> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that Redis did not do what it was asked in that presence.
    pub(super) fn mark_away(&self, asked: Presence, error: &LedgerError) {
        if self.availability.mark_away(asked, error) {
            // Each may be broken, and would fail one request when Redis is back.
            self.redis.connections.reconnect();
            self.flush_needed.notify_one();
        }
    }

    /// The response of Redis; fails at once while it is known to be away.
    pub(super) fn ask<T>(
        &self,
        response: impl Future<Output = Result<T, LedgerError>>,
    ) -> impl Future<Output = Result<T, LedgerError>> {
        // No `async fn`: that would hold the response twice, which is some thousand bytes.
        match self.availability.check() {
            Ok(asked) => Either::Left(response.inspect_err(move |error| self.mark_away(asked, error))),
            Err(error) => Either::Right(ready(Err(error))),
        }
    }

    /// The response of Redis about an entity; fails at once, too, while older changes of that entity are pending.
    pub(super) fn ask_about<T>(
        &self,
        entity: &EntityKey,
        response: impl Future<Output = Result<T, LedgerError>>,
    ) -> impl Future<Output = Result<T, LedgerError>> {
        if self.pending().contains(entity) {
            let reason = "earlier changes are not written yet".to_owned();
            return Either::Right(ready(Err(LedgerError::Unavailable(reason))));
        }
        Either::Left(self.ask(response))
    }

    /// Writes a change, now or later. Returns whether it changed anything; `true` if that is not known yet.
    pub(super) async fn write(&self, change: LedgerChange) -> Result<bool, LedgerError> {
        if let Some(changed) = self.write_now(&change).await {
            return Ok(changed);
        }
        self.push(change)?;
        Ok(true)
    }

    /// Settles while Redis may be away: writes it now, or later. With a journal, which is durable, it is appended to that in
    /// between: in memory alone it would die with the process.
    pub(super) async fn write_settlement(
        &self,
        journal: Option<&dyn Journal>,
        settlement: JournalEntry,
        learnt: &FileIds,
    ) -> Result<bool, LedgerError> {
        let JournalEntry { notification, update } = &settlement;
        let written = self.redis.settle_with(notification, update, learnt);
        if let Ok(changed) = self.ask_about(&EntityKey::Notification(notification.id), written).await {
            return Ok(changed);
        }
        for (key, file_id) in learnt {
            // Lost, it costs one more upload.
            let _ = self.push(LedgerChange::KeepFileId(*key, file_id.clone()));
        }
        let change = LedgerChange::Settle(notification.clone(), update.clone().into());
        let Some(journal) = journal else { return self.push(change).map(|()| true) };
        journal.append(&settlement).await.map_err(|error| {
            LedgerError::Unavailable(format!("Redis is away, and the journal takes no outcome: {error}"))
        })?;
        // As a pending write, the outcome keeps a second copy of the notification from being sent. If there is no room
        // for it, the journal has it all the same.
        let _ = self.push(change);
        Ok(true)
    }

    /// Writes the record of what has just been accepted, and its pins, now or later.
    pub(super) async fn create(&self, notification: &Notification) -> Result<(), LedgerError> {
        let change = LedgerChange::Create(notification.clone());
        if self.write_now(&change).await.is_some() {
            return Ok(());
        }
        for sha256 in notification.call.blobs() {
            self.push(LedgerChange::Pin(*sha256, notification.expires_at))?;
        }
        self.push(change)
    }

    /// Fails if no change could wait in memory.
    pub(super) fn check_room(&self) -> Result<(), LedgerError> {
        self.pending().check_room().map_err(|error| LedgerError::Unavailable(error.to_string()))
    }

    /// Writes a change if that can be done now; whether it changed anything.
    async fn write_now(&self, change: &LedgerChange) -> Option<bool> {
        self.ask_about(&change.entity(), self.apply(change)).await.ok()
    }

    fn push(&self, change: LedgerChange) -> Result<(), LedgerError> {
        self.add_pending(|pending| pending.push(change))
    }

    /// Adds to the pending writes.
    pub(super) fn add_pending<T>(
        &self,
        add: impl FnOnce(&mut PendingWrites) -> Result<T, PendingWritesFullError>,
    ) -> Result<T, LedgerError> {
        let mut pending = self.pending();
        let added = add(&mut pending).map_err(|error| LedgerError::Unavailable(error.to_string()))?;
        self.pending_count.send_replace(pending.len());
        self.flush_needed.notify_one();
        Ok(added)
    }

    /// Writes a change into Redis; whether it changed anything.
    pub(super) async fn apply(&self, change: &LedgerChange) -> Result<bool, LedgerError> {
        let redis = &self.redis;
        match change {
            LedgerChange::Create(notification) => redis.create(notification).await,
            LedgerChange::Begin { notification, at, .. } => redis.mark_begun(notification, *at).await.map(|()| true),
            LedgerChange::Settle(notification, update) => redis.settle(notification, update).await,
            LedgerChange::KeepFileId(key, file_id) => redis.keep(key, file_id).await.map(|()| true),
            LedgerChange::EvictFileId(key, file_id) => redis.evict(key, file_id).await.map(|()| true),
            LedgerChange::Pin(sha256, until) => redis.pin(sha256, *until).await.map(|()| true),
            LedgerChange::MarkKeyAccepted(key) => redis.mark_key_accepted(key).await.map(|()| true),
        }
    }
}
