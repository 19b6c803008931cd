//! [`Ledger`] of the distributed engine, for which Redis may be away.

use super::buffer::WriteBehindBuffer;
use super::file_id_cache::FileIdCache;
use super::flush::flush_again_and_again;
use super::known_cancels::{KnownCancels, follow_cancels};
use super::known_pauses::{KnownPauses, follow_pauses};
use super::ledger_change::{EntityKey, LedgerChange};
use super::pause_copy::PauseCopy;
use crate::adapters::redis::ledger::RedisLedger;
use crate::domain::{
    BotName, DeliveryGuarantee, Filter, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp,
};
use crate::ports::{
    Begin, BeginConditions, Cancelled, DeepestChats, FileIds, FileKey, Journal, JournalEntry, Ledger, LedgerError,
    ListQuery, OpenByLane, RecordPage,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How often to check whether all is written, before the journal is applied.
const CAUGHT_UP_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// [`Ledger`] and [`MediaIndex`](crate::ports::MediaIndex): a write-behind cache in front of [`RedisLedger`].
pub struct WriteBehindLedger {
    pub(super) buffer: Arc<WriteBehindBuffer>,
    pub(super) file_ids: FileIdCache,
    journal: Option<Arc<dyn Journal>>,
    cancels: Arc<KnownCancels>,
    pub(super) pauses: Arc<KnownPauses>,
    tasks: [AbortHandle; 3],
}

impl WriteBehindLedger {
    /// A ledger without a journal: while Redis is away, outcomes wait in memory alone. Starts the tasks that write what waits and follow cancels and pauses, in the current
    /// runtime; they end when this is dropped.
    pub fn new(redis: Arc<RedisLedger>) -> Arc<Self> {
        Self::start(redis, None, None)
    }

    /// The same with a journal for outcomes. What is stored there must be given to
    /// [`WriteBehindLedger::apply_journal_entry`]. In the folder it keeps a copy of what is paused, for a start while Redis is away.
    pub fn with_journal(redis: Arc<RedisLedger>, journal: Arc<dyn Journal>, folder: Option<&Path>) -> Arc<Self> {
        Self::start(redis, Some(journal), folder)
    }

    fn start(redis: Arc<RedisLedger>, journal: Option<Arc<dyn Journal>>, folder: Option<&Path>) -> Arc<Self> {
        let buffer = Arc::new(WriteBehindBuffer::new(redis));
        let (cancels, pauses) =
            (Arc::new(KnownCancels::new()), Arc::new(KnownPauses::new(folder.map(PauseCopy::in_folder))));
        let tasks = [
            tokio::spawn(flush_again_and_again(buffer.clone())).abort_handle(),
            tokio::spawn(follow_cancels(buffer.clone(), cancels.clone())).abort_handle(),
            tokio::spawn(follow_pauses(buffer.clone(), pauses.clone())).abort_handle(),
        ];
        Arc::new(Self { buffer, file_ids: FileIdCache::default(), journal, cancels, pauses, tasks })
    }

    /// How many changes wait in memory.
    pub fn buffered(&self) -> usize {
        *self.buffer.pending_count.borrow()
    }

    /// Waits until nothing waits in memory, but not longer than `deadline`; returns how many changes still do.
    pub async fn flush(&self, deadline: Instant) -> usize {
        let mut buffered = self.buffer.pending_count.subscribe();
        let empty = buffered.wait_for(|count| *count == 0);
        let _ = tokio::time::timeout_at(deadline, empty).await;
        self.buffered()
    }

    /// Waits until Redis is there and nothing waits in memory: then the journal can be applied.
    pub async fn caught_up(&self) {
        while self.buffer.availability.check().is_err() || self.buffered() > 0 {
            tokio::time::sleep(CAUGHT_UP_POLL_INTERVAL).await;
        }
    }

    /// Writes an outcome from the journal into Redis. Idempotent.
    pub async fn apply_journal_entry(&self, outcome: &JournalEntry) -> Result<(), LedgerError> {
        self.ask(self.redis().settle(&outcome.notification, &outcome.update)).await.map(drop)
    }

    pub(in crate::adapters::redis) fn redis(&self) -> &RedisLedger {
        &self.buffer.redis
    }

    /// The response of Redis; fails at once while it is known to be away.
    pub(in crate::adapters::redis) fn ask<T>(
        &self,
        response: impl Future<Output = Result<T, LedgerError>>,
    ) -> impl Future<Output = Result<T, LedgerError>> {
        self.buffer.ask(response)
    }

    /// Cancels what Redis has a record of from before the cancel; returns the status that forbids this copy to be sent.
    async fn cancel_again(&self, notification: &Notification, at: Timestamp) -> Status {
        let Ok(Some(record)) = self.get(notification.id).await else { return Status::Cancelled };
        let is_later = record.notification.accepted_at > notification.accepted_at;
        if is_later || !record.status.is_cancellable() {
            return record.status;
        }
        // Should it fail, the record ends as lost.
        let _ = self.ask(self.redis().settle(notification, &RecordUpdate::of(Status::Cancelled, at))).await;
        Status::Cancelled
    }

    /// Creates the record of a notification that has just been accepted, now or later.
    pub(in crate::adapters::redis) async fn create(&self, notification: &Notification) -> Result<(), LedgerError> {
        self.buffer.create(notification).await
    }

    /// Fails if Redis is away and nothing more may wait for it.
    pub(in crate::adapters::redis) fn check_room(&self) -> Result<(), LedgerError> {
        self.buffer.check_room()
    }

    /// Marks an idempotency key's request as accepted, now or later.
    pub(in crate::adapters::redis) async fn mark_key_accepted(&self, key: &str) -> Result<(), LedgerError> {
        self.buffer.write(LedgerChange::MarkKeyAccepted(key.to_owned())).await.map(drop)
    }
}

impl Drop for WriteBehindLedger {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

#[async_trait]
impl Ledger for WriteBehindLedger {
    /// What is known here to be cancelled does not begin, whatever Redis says: it may have lost the cancel, by a failover or a
    /// restore. While Redis is away: fails during the grace period, then goes on for `at_least_once`, and marks the attempt when
    /// Redis is back. `at_most_once` must have its mark before the request leaves, so it has to wait; so does what was
    /// scheduled if this process has never read which ones are cancelled. Only those interrupted attempts are known then
    /// that wait in memory.
    async fn begin_with(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
        wanted: &[FileKey],
    ) -> Result<(Begin, FileIds), LedgerError> {
        let buffer = &self.buffer;
        if let Some(status) = buffer.pending().superseding_status(notification) {
            return Ok((Begin::Skip(status), FileIds::new()));
        }
        if self.cancels.forbid(notification) {
            return Ok((Begin::Skip(self.cancel_again(notification, at).await), FileIds::new()));
        }
        let entity = EntityKey::Notification(notification.id);
        let begun = buffer.ask_about(&entity, buffer.redis.begin_with(notification, at, conditions, wanted)).await;
        if let Ok((begin, file_ids)) = begun {
            let begins = matches!(begin, Begin::Proceed { .. });
            return Ok((begin, if begins { self.note_file_ids(wanted, file_ids) } else { file_ids }));
        }
        if notification.delivery == DeliveryGuarantee::AtMostOnce || !buffer.availability.is_past_grace() {
            return begun;
        }
        if notification.send_at.is_some() && !self.cancels.were_read() {
            return begun;
        }
        if self.pauses.list().forbid(&notification.bot, &notification.chat_id) {
            return Ok((Begin::Paused, FileIds::new()));
        }
        let (interrupted, interrupted_attempts) = buffer.add_pending(|pending| pending.push_begin(notification, at))?;
        buffer.redis.forget_begin(notification.id);
        Ok((Begin::Proceed { interrupted, interrupted_attempts }, self.known_file_ids(wanted)))
    }

    async fn settle_with(
        &self,
        notification: &Notification,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<bool, LedgerError> {
        for (key, file_id) in learnt {
            self.file_ids.set(*key, Some(file_id.clone()));
        }
        if self.buffer.pending().superseding_status(notification).is_some() {
            return Ok(false);
        }
        let journal = self.journal.as_deref().filter(|_| update.status.is_final());
        let settlement = JournalEntry { notification: notification.clone(), update: update.clone() };
        self.buffer.write_settlement(journal, settlement, learnt).await
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        let cancelled = self.buffer.ask_about(&EntityKey::Notification(id), self.redis().cancel(id, at)).await?;
        if let Cancelled::Done(record) = &cancelled {
            self.cancels.put((id, record.notification.accepted_at));
        }
        Ok(cancelled)
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        self.buffer.ask_about(&EntityKey::Notification(id), self.redis().get(id)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        self.ask(self.redis().list(query)).await
    }

    async fn count(&self, filter: &Filter) -> Result<BTreeMap<Status, u64>, LedgerError> {
        self.ask(self.redis().count(filter)).await
    }

    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        self.ask(self.redis().sweep(finished_before)).await
    }

    async fn end_lost(&self, expired_before: Timestamp, at: Timestamp) -> Result<Vec<(BotName, Status)>, LedgerError> {
        self.ask(self.redis().end_lost(expired_before, at)).await
    }

    async fn count_open(&self, bots: &[BotName]) -> Result<Vec<OpenByLane>, LedgerError> {
        self.ask(self.redis().count_open(bots)).await
    }

    async fn deepest_chats(&self, bot: &BotName, limit: usize) -> Result<DeepestChats, LedgerError> {
        self.ask(self.redis().deepest(bot, limit)).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.ask(self.redis().ready()).await
    }
}
