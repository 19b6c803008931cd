//! The ledger as rows: a record is kept as JSON, with columns beside it for finding it.

use super::fault::Fault;
use super::store::Store;
use super::writer::Durability;
use crate::domain::{Attempt, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp};
use crate::ports::{Begin, Cancelled, Ledger, LedgerError, ListQuery, RecordPage};
use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How many rows one step of a sweep deletes.
const STEP: i64 = 500;
/// A page of large records ends early, so that it fits into memory.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// How long a file_id is remembered after it was learnt; then the image is uploaded once more.
const FILE_ID_KEPT: Duration = Duration::from_secs(180 * 24 * 3600);

/// The ledger in the file.
pub struct EmbeddedLedger {
    store: Arc<Store>,
}

impl EmbeddedLedger {
    /// Over the open file.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Ledger for EmbeddedLedger {
    async fn begin(&self, notification: &Notification, at: Timestamp) -> Result<Begin, LedgerError> {
        let notification = notification.clone();
        let begin = move |conn: &Connection| {
            let mut record = match open(conn, notification)? {
                Ok(record) => record,
                Err(status) => return Ok(Begin::Skip(status)),
            };
            let interrupted = record.status == Status::Sending;
            let failure = record.failure.clone();
            let attempt = interrupted.then(|| Attempt::interrupted(at));
            apply(&mut record, RecordUpdate { attempt, failure, ..RecordUpdate::of(Status::Sending, at) });
            save(conn, &record)?;
            let interrupted_attempts = count_cut_offs(conn, record.notification.id, interrupted)?;
            Ok(Begin::Proceed { interrupted, interrupted_attempts })
        };
        Ok(self.store.write(Durability::Disk, begin).await?)
    }

    async fn settle(&self, notification: &Notification, update: &RecordUpdate) -> Result<bool, LedgerError> {
        let (notification, update) = (notification.clone(), update.clone());
        let settle = move |conn: &Connection| {
            let Ok(mut record) = open(conn, notification)? else { return Ok(false) };
            apply(&mut record, update);
            save(conn, &record)?;
            Ok(true)
        };
        Ok(self.store.write(Durability::Disk, settle).await?)
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        let cancel = move |conn: &Connection| {
            let Some(mut record) = load(conn, id)? else { return Ok(Cancelled::NotFound) };
            if !record.status.is_cancellable() {
                return Ok(Cancelled::TooLate(record.status));
            }
            apply(&mut record, RecordUpdate::of(Status::Cancelled, at));
            save(conn, &record)?;
            Ok(Cancelled::Done(Box::new(record)))
        };
        Ok(self.store.write(Durability::Disk, cancel).await?)
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        Ok(self.store.read(move |conn| load(conn, id)).await?)
    }

    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let query = query.clone();
        Ok(self.store.read(move |conn| page(conn, &query)).await?)
    }

    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        let before = finished_before.unix_millis();
        let records = "DELETE FROM records WHERE number IN
            (SELECT number FROM records WHERE done_at < ?1 ORDER BY done_at LIMIT ?2)";
        let swept = self.sweep_in_steps(records, before).await?;
        let now = Timestamp::now();
        let keys = "DELETE FROM keys WHERE key IN (SELECT key FROM keys WHERE until < ?1 LIMIT ?2)";
        self.sweep_in_steps(keys, now.unix_millis()).await?;
        let pins = "DELETE FROM pins WHERE sha256 IN (SELECT sha256 FROM pins WHERE until < ?1 LIMIT ?2)";
        self.sweep_in_steps(pins, now.unix_millis()).await?;
        let file_ids = "DELETE FROM file_ids WHERE (bot_id, kind, sha256) IN
            (SELECT bot_id, kind, sha256 FROM file_ids WHERE kept_at < ?1 LIMIT ?2)";
        self.sweep_in_steps(file_ids, now.minus(FILE_ID_KEPT).unix_millis()).await?;
        Ok(swept)
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        Ok(self.store.ready().await?)
    }
}

impl EmbeddedLedger {
    /// Runs a deletion of at most [`STEP`] rows until there is nothing left, each in a transaction of its own: others
    /// get their turn in between.
    async fn sweep_in_steps(&self, sql: &'static str, before: i64) -> Result<u64, Fault> {
        let mut swept = 0;
        loop {
            let step = move |conn: &Connection| Ok(conn.prepare_cached(sql)?.execute([before, STEP])?);
            let deleted = self.store.write(Durability::Process, step).await?;
            if deleted == 0 {
                return Ok(swept);
            }
            swept += deleted as u64;
        }
    }
}

/// Plain data as JSON.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys can be written as JSON")
}

/// The bytes of an id; they sort as the ids do.
pub fn key_of(id: NotificationId) -> [u8; 16] {
    uuid::Uuid::try_parse(&id.to_string()).expect("an id is written as a UUID").into_bytes()
}

/// The record of an id.
pub fn load(conn: &Connection, id: NotificationId) -> Result<Option<Record>, Fault> {
    let mut select = conn.prepare_cached("SELECT body FROM records WHERE id = ?1")?;
    let body: Option<String> = select.query_row([key_of(id)], |row| row.get(0)).optional()?;
    body.map(|body| read(&body)).transpose()
}

/// Writes a record, in place of the earlier one of the same id.
pub fn save(conn: &Connection, record: &Record) -> Result<(), Fault> {
    let sql = "INSERT INTO records (id, bot, status, finished_at, body, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE
        SET bot = ?2, status = ?3, finished_at = ?4, body = ?5, expires_at = max(expires_at, ?6)";
    let finished_at = record.status.is_final().then(|| record.updated_at.unix_millis());
    let notification = &record.notification;
    let columns = params![
        key_of(notification.id),
        notification.bot.as_str(),
        record.status.as_str(),
        finished_at,
        json(record),
        notification.expires_at.unix_millis(),
    ];
    conn.prepare_cached(sql)?.execute(columns)?;
    Ok(())
}

/// Counts the cut-off attempts of a record from nought again.
pub fn forget_cut_offs(conn: &Connection, id: NotificationId) -> Result<(), Fault> {
    conn.prepare_cached("UPDATE records SET cut_offs = 0 WHERE id = ?1")?.execute([key_of(id)])?;
    Ok(())
}

fn count_cut_offs(conn: &Connection, id: NotificationId, one_more: bool) -> Result<u32, Fault> {
    let sql = match one_more {
        true => "UPDATE records SET cut_offs = cut_offs + 1 WHERE id = ?1 RETURNING cut_offs",
        false => "SELECT cut_offs FROM records WHERE id = ?1",
    };
    Ok(conn.prepare_cached(sql)?.query_row([key_of(id)], |row| row.get(0))?)
}

/// The record for a courier to change, a new one if it is missing; or the status that forbids it: it is final, or that
/// of a later acceptance.
fn open(conn: &Connection, notification: Notification) -> Result<Result<Record, Status>, Fault> {
    let accepted_at = notification.accepted_at;
    let record = load(conn, notification.id)?.unwrap_or_else(|| Record::accepted(notification));
    let is_older = accepted_at < record.notification.accepted_at;
    Ok(if is_older || record.status.is_final() { Err(record.status) } else { Ok(record) })
}

fn read(body: &str) -> Result<Record, Fault> {
    serde_json::from_str(body).map_err(|error| Fault::unreadable("record", error))
}

fn apply(record: &mut Record, change: RecordUpdate) {
    record.status = change.status;
    record.updated_at = change.at;
    record.attempts.extend(change.attempt);
    let surplus = record.attempts.len().saturating_sub(Record::ATTEMPTS_KEPT);
    record.attempts.drain(..surplus);
    record.message_id = change.message_id.or(record.message_id);
    record.file_id = change.file_id.or(record.file_id.take());
    record.failure = change.failure;
    record.next_attempt_at = change.next_attempt_at;
    record.result = change.result.or(record.result.take());
}

fn page(conn: &Connection, query: &ListQuery) -> Result<RecordPage, Fault> {
    let limit = query.limit.clamp(1, 1_000);
    let mut sql = "SELECT body FROM records WHERE true".to_owned();
    let mut values = Vec::new();
    if let Some(status) = query.status {
        sql += " AND status = ?";
        values.push(Value::Text(status.as_str().to_owned()));
    }
    if let Some(bot) = &query.bot {
        // Beside a status the index of the statuses serves, which holds the bot as well.
        sql += if query.status.is_some() { " AND +bot = ?" } else { " AND bot = ?" };
        values.push(Value::Text(bot.as_str().to_owned()));
    }
    if let Some(before) = query.before {
        sql += " AND id < ?";
        values.push(Value::Blob(key_of(before).to_vec()));
    }
    sql += " ORDER BY id DESC LIMIT ?";
    values.push(Value::Integer(i64::try_from(limit + 1).unwrap_or(i64::MAX)));

    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut page = RecordPage { records: Vec::new(), next: None };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if page.records.len() == limit || bytes > PAGE_BYTES {
            page.next = page.records.last().map(|record: &Record| record.notification.id);
            break;
        }
        let body = row.get_ref(0)?.as_str().map_err(|error| Fault::unreadable("record", error))?;
        bytes += body.len();
        page.records.push(read(body)?);
    }
    Ok(page)
}
