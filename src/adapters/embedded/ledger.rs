//! The ledger port over the rows of the file.

use super::chat_rows::{self, ChatState};
use super::deliveries;
use super::free_pages;
use super::limits::{FILE_ID_RETENTION, PAUSE_RETENTION, SWEEP_STEP_ROWS};
use super::ownership_table::OwnershipTable;
use super::pauses::EmbeddedPauses;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use super::{deepest_chats, event_rows, listing, media_index, pause_rows, paused_rows, queue_rows, record_rows};
use crate::domain::{
    Attempt, AttemptOutcome, BotName, DeliveryGuarantee, Filter, Notification, NotificationId, Record, RecordUpdate,
    Status, Timestamp,
};
use crate::ports::{
    Begin, BeginConditions, Cancelled, DeepestChats, FileIds, FileKey, Finished, Ledger, LedgerError, ListQuery,
    OpenByLane, Receipt, RecordPage,
};
use async_trait::async_trait;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a step of the sweep deletes, with a moment and [`SWEEP_STEP_ROWS`]: records that were done before it.
const SWEEP_RECORDS: &str = "DELETE FROM records WHERE number IN
    (SELECT number FROM records WHERE done_at < ?1 ORDER BY done_at LIMIT ?2)";
/// File_ids that were learnt before it.
const SWEEP_FILE_IDS: &str = "DELETE FROM file_ids WHERE (bot_id, kind, sha256) IN
    (SELECT bot_id, kind, sha256 FROM file_ids WHERE kept_at < ?1 LIMIT ?2)";
/// Pauses that were over before it.
const SWEEP_PAUSES: &str =
    "DELETE FROM pauses WHERE (bot, chat) IN (SELECT bot, chat FROM pauses WHERE until < ?1 LIMIT ?2)";
/// What says nothing any more.
const SWEEP_OUTDATED: [&str; 3] = [
    "DELETE FROM keys WHERE key IN (SELECT key FROM keys WHERE until < ?1 LIMIT ?2)",
    "DELETE FROM pins WHERE sha256 IN (SELECT sha256 FROM pins WHERE until < ?1 LIMIT ?2)",
    "DELETE FROM chats WHERE (bot, chat) IN (SELECT bot, chat FROM chats WHERE until < ?1 LIMIT ?2)",
];

/// [`Ledger`] in the file.
pub struct EmbeddedLedger {
    store: Arc<SqliteStore>,
    owners: Arc<OwnershipTable>,
    pauses: Arc<EmbeddedPauses>,
}

impl EmbeddedLedger {
    /// Over the open file. `owners` is the table that the queue is owned by; `pauses` are told of what becomes of a paused group.
    pub fn new(store: Arc<SqliteStore>, owners: Arc<OwnershipTable>, pauses: Arc<EmbeddedPauses>) -> Self {
        Self { store, owners, pauses }
    }
}

#[async_trait]
impl Ledger for EmbeddedLedger {
    async fn begin_with(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
        wanted: &[FileKey],
    ) -> Result<(Begin, FileIds), LedgerError> {
        let (notification, conditions, wanted) = (notification.clone(), *conditions, wanted.to_vec());
        // A power cut that undoes the mark makes of an interrupted attempt one that was never begun: it is sent again, as the mark
        // would have it, and is not told apart. At most once must not be sent again.
        let durability = match notification.delivery {
            DeliveryGuarantee::AtLeastOnce => Durability::Process,
            DeliveryGuarantee::AtMostOnce => Durability::Disk,
        };
        let begin = move |conn: &Connection| {
            let mut open = match record_rows::load_for_courier(conn, notification)? {
                Ok(open) => open,
                Err(status) => return Ok((Begin::Skip(status), FileIds::new())),
            };
            let record = &mut open.record;
            let interrupted = record.status == Status::Sending;
            if let Some(obstacle) = take_turn(conn, &record.notification, at, &conditions, interrupted)? {
                return Ok((obstacle, FileIds::new()));
            }
            let failure = record.failure.clone();
            let attempt = interrupted.then(|| Attempt::interrupted(at));
            record.apply(RecordUpdate { attempt, failure, ..RecordUpdate::of(Status::Sending, at) });
            let interrupted_attempts = open.save(conn, interrupted)?;
            let mut file_ids = FileIds::new();
            for key in wanted {
                file_ids.extend(media_index::find(conn, &key)?.map(|file_id| (key, file_id)));
            }
            Ok((Begin::Proceed { interrupted, interrupted_attempts }, file_ids))
        };
        Ok(self.store.write(durability, begin).await?)
    }

    async fn settle_with(
        &self,
        notification: &Notification,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<bool, LedgerError> {
        let (notification, update, learnt) = (notification.clone(), update.clone(), learnt.clone());
        let has_migrated = update.attempt.as_ref().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Migrated);
        let settle = move |conn: &Connection| settle(conn, notification, update, &learnt);
        if has_migrated {
            return Ok(self.pauses.follow(settle).await?);
        }
        Ok(self.store.write(Durability::Disk, settle).await?)
    }

    async fn finish(
        &self,
        notification: &Notification,
        receipt: &Receipt,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<Finished, LedgerError> {
        let (notification, update, learnt) = (notification.clone(), update.clone(), learnt.clone());
        let (receipt, owners) = (receipt.clone(), self.owners.clone());
        let finish = move |conn: &Connection| {
            let recorded = settle(conn, notification, update, &learnt)?;
            Ok(Finished { recorded, acked: deliveries::ack(conn, &owners, &receipt)? })
        };
        Ok(self.store.write(Durability::Disk, finish).await?)
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        let cancel = move |conn: &Connection| {
            let Some(mut record) = record_rows::load(conn, id)? else { return Ok(Cancelled::NotFound) };
            if !record.status.is_cancellable() {
                return Ok(Cancelled::TooLate(record.status));
            }
            record.apply(RecordUpdate::of(Status::Cancelled, at));
            record_rows::save_change(conn, &record)?;
            event_rows::append_end(conn, &record)?;
            queue_rows::leave_order(conn, id)?;
            Ok(Cancelled::Done(Box::new(record)))
        };
        Ok(self.store.write(Durability::Disk, cancel).await?)
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        Ok(self.store.read(move |conn| record_rows::load(conn, id)).await?)
    }

    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let query = query.clone();
        Ok(self.store.read(move |conn| listing::page(conn, &query)).await?)
    }

    async fn count(&self, filter: &Filter) -> Result<BTreeMap<Status, u64>, LedgerError> {
        let filter = filter.clone();
        Ok(self.store.read(move |conn| listing::count(conn, &filter)).await?)
    }

    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        let before = finished_before.unix_millis();
        let swept = self.sweep_in_steps(SWEEP_RECORDS, before).await?;
        let now = Timestamp::now();
        self.sweep_in_steps(SWEEP_FILE_IDS, now.minus(FILE_ID_RETENTION).unix_millis()).await?;
        self.sweep_in_steps(SWEEP_PAUSES, now.minus(PAUSE_RETENTION).unix_millis()).await?;
        for outdated in SWEEP_OUTDATED {
            self.sweep_in_steps(outdated, now.unix_millis()).await?;
        }
        free_pages::give_back(&self.store).await?;
        Ok(swept)
    }

    async fn end_lost(&self, expired_before: Timestamp, at: Timestamp) -> Result<Vec<(BotName, Status)>, LedgerError> {
        let lost = self.store.read(move |conn| record_rows::lost(conn, expired_before)).await?;
        let end = move |conn: &Connection| {
            let mut ended = Vec::new();
            for id in &lost {
                let Some(mut record) = record_rows::load(conn, *id)?.filter(|record| !record.status.is_final()) else {
                    continue;
                };
                let Some(was_queued) = queue_rows::withdraw(conn, *id)? else { continue };
                let was_queued = was_queued || record.is_waiting();
                let is_unsent = was_queued && record.status != Status::Sending && record.attempts.is_empty();
                record.apply(if is_unsent { RecordUpdate::of(Status::Expired, at) } else { RecordUpdate::lost(at) });
                record_rows::save_change(conn, &record)?;
                event_rows::append_end(conn, &record)?;
                ended.push((record.notification.bot, record.status));
            }
            Ok(ended)
        };
        Ok(self.store.write(Durability::Disk, end).await?)
    }

    async fn count_open(&self, bots: &[BotName]) -> Result<Vec<OpenByLane>, LedgerError> {
        Ok(self.store.counts()?.open_of(bots))
    }

    async fn deepest_chats(&self, bot: &BotName, limit: usize) -> Result<DeepestChats, LedgerError> {
        let open =
            self.count_open(std::slice::from_ref(bot)).await?.first().map(OpenByLane::all_lanes).unwrap_or_default();
        let bot = bot.clone();
        Ok(self.store.read(move |conn| deepest_chats::of(conn, &bot, open, limit)).await?)
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        Ok(self.store.ready().await?)
    }
}

impl EmbeddedLedger {
    /// Runs a deletion of at most [`SWEEP_STEP_ROWS`] rows until there is nothing left, each in a transaction of its
    /// own: others get their turn in between.
    async fn sweep_in_steps(&self, sql: &'static str, before: i64) -> Result<u64, StoreError> {
        let mut swept = 0;
        loop {
            let step = move |conn: &Connection| Ok(conn.prepare_cached(sql)?.execute([before, SWEEP_STEP_ROWS])?);
            let deleted = self.store.write(Durability::Process, step).await?;
            if deleted == 0 {
                return Ok(swept);
            }
            swept += deleted as u64;
        }
    }
}

/// Writes what an attempt led to, and what it has taught; `false` if the record is final already or that of a later acceptance.
fn settle(
    conn: &Connection,
    notification: Notification,
    update: RecordUpdate,
    learnt: &FileIds,
) -> Result<bool, StoreError> {
    for (key, file_id) in learnt {
        media_index::keep(conn, key, file_id)?;
    }
    let Ok(mut open) = record_rows::load_for_courier(conn, notification)? else { return Ok(false) };
    chat_rows::settle(conn, open.stored_chat(), &open.record, &update)?;
    let record = &mut open.record;
    if record.status == Status::Sending && update.attempt.is_none() {
        pause_rows::take_back(conn, &record.notification, record.updated_at)?;
    }
    record.apply(update);
    open.save(conn, false)?;
    event_rows::append_end(conn, &open.record)?;
    Ok(true)
}

/// What keeps an attempt from beginning now; if nothing does, counts it in the window of its chat.
fn take_turn(
    conn: &Connection,
    notification: &Notification,
    at: Timestamp,
    conditions: &BeginConditions,
    interrupted: bool,
) -> Result<Option<Begin>, StoreError> {
    let mut chat = ChatState::load(conn, notification)?;
    if let Some(to) = chat.migrated_to {
        if chat.remember_migration(at) {
            chat.save(conn, notification)?;
        }
        return Ok(Some(Begin::Migrated(to)));
    }
    if paused_rows::forbid(conn, notification)? {
        return Ok(Some(Begin::Paused));
    }
    let paused_until = pause_rows::paused_until(conn, notification, at, conditions.headroom)?;
    if let Some(until) = chat.too_soon(at, conditions.chat_window.as_ref()).max(paused_until) {
        return Ok(Some(Begin::TooSoon(until)));
    }
    if conditions.in_order
        && notification.keeps_order()
        && let Some(earlier) = queue_rows::first_before(conn, notification, chat.migrated_from.as_deref())?
    {
        return Ok(Some(Begin::Behind(earlier)));
    }
    if let Some(window) = &conditions.chat_window {
        chat.count(notification.id, at, window, interrupted);
        chat.save(conn, notification)?;
    }
    if !conditions.then_pause.is_zero() {
        pause_rows::begin(conn, notification, at, conditions.then_pause)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_of_a_sweep_looks_at_more_rows_than_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = super::super::schema::open_writer(&folder.path().join("queue.db")).unwrap();
        super::super::schema::prepare_writer(&mut conn).unwrap();
        for sql in [SWEEP_RECORDS, SWEEP_FILE_IDS, SWEEP_PAUSES].into_iter().chain(SWEEP_OUTDATED) {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explain.raw_query().mapped(|row| row.get::<_, String>(3));
            let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
            assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{sql}: {plan:?}");
        }
    }
}
