//! The rows of the ledger and the SQL on them: a record is kept as JSON, with columns beside it for finding it.

use super::columns::{from_json, id_bytes, to_json};
use super::limits::{MAX_PAGE_BYTES, MAX_PAGE_RECORDS, SWEEP_STEP_ROWS};
use super::store_error::StoreError;
use crate::domain::{ListedRecord, Notification, NotificationId, Record, Status, Timestamp};
use crate::ports::{ListQuery, RecordPage};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

/// The record of an id.
pub fn load(conn: &Connection, id: NotificationId) -> Result<Option<Record>, StoreError> {
    let mut select = conn.prepare_cached("SELECT body FROM records WHERE id = ?1")?;
    let body: Option<String> = select.query_row([id_bytes(id)], |row| row.get(0)).optional()?;
    body.map(|body| read_record(&body)).transpose()
}

/// The record for a courier to change, a new one if it is missing; or the status that forbids it: it is final, or that
/// of a later acceptance.
pub fn load_for_update(conn: &Connection, notification: &Notification) -> Result<Result<Record, Status>, StoreError> {
    let record = load(conn, notification.id)?.unwrap_or_else(|| Record::accepted(notification.clone()));
    let is_older = notification.accepted_at < record.notification.accepted_at;
    if is_older || record.status.is_final() {
        return Ok(Err(record.status));
    }
    Ok(Ok(record))
}

/// Writes a record, in place of the earlier one of the same id.
pub fn save(conn: &Connection, record: &Record) -> Result<(), StoreError> {
    save_begun(conn, record, false).map(drop)
}

/// The same for one whose attempt begins, counting the one before if that was interrupted (column `cut_offs`); returns
/// how many were since the last acceptance.
pub fn save_begun(conn: &Connection, record: &Record, interrupted: bool) -> Result<u32, StoreError> {
    let sql = "INSERT INTO records (id, bot, status, finished_at, body, expires_at, cut_offs)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE
        SET bot = ?2, status = ?3, finished_at = ?4, body = ?5, expires_at = max(expires_at, ?6),
            cut_offs = cut_offs + ?7 RETURNING cut_offs";
    let finished_at = record.status.is_final().then(|| record.updated_at.unix_millis());
    let notification = &record.notification;
    let columns = params![
        id_bytes(notification.id),
        notification.bot.as_str(),
        record.status.as_str(),
        finished_at,
        to_json(record),
        notification.expires_at.unix_millis(),
        interrupted,
    ];
    Ok(conn.prepare_cached(sql)?.query_row(columns, |row| row.get(0))?)
}

/// Sets the count of interrupted attempts (column `cut_offs`) back to zero.
pub fn reset_interrupted_attempts(conn: &Connection, id: NotificationId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE records SET cut_offs = 0 WHERE id = ?1")?.execute([id_bytes(id)])?;
    Ok(())
}

/// Open records that expired before the given time and whose notifications nobody holds; the longest expired first,
/// [`SWEEP_STEP_ROWS`] at most.
pub fn lost(conn: &Connection, expired_before: Timestamp) -> Result<Vec<NotificationId>, StoreError> {
    let sql = "SELECT id FROM records WHERE finished_at IS NULL AND expires_at < ?1
        AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.id = records.id AND queue.state = 2)
        ORDER BY expires_at LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let ids = select.query_map([expired_before.unix_millis(), SWEEP_STEP_ROWS], |row| row.get::<_, [u8; 16]>(0))?;
    ids.map(|id| Ok(NotificationId::from_number(u128::from_be_bytes(id?)))).collect()
}

/// The records that a listing asks for, newest id first.
pub fn page(conn: &Connection, query: &ListQuery) -> Result<RecordPage, StoreError> {
    let limit = query.limit.clamp(1, MAX_PAGE_RECORDS);
    let (sql, values) = page_query(query, limit + 1);
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut page = RecordPage { records: Vec::new(), next: None };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if page.records.len() == limit || bytes > MAX_PAGE_BYTES {
            page.next = page.records.last().map(|record: &Record| record.notification.id);
            break;
        }
        let body = row.get_ref(0)?.as_str().map_err(|error| StoreError::unreadable("record", error))?;
        bytes += body.len();
        page.records.push(from_json::<ListedRecord>("record", body)?.into());
    }
    Ok(page)
}

fn page_query(query: &ListQuery, limit: usize) -> (String, Vec<Value>) {
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
        values.push(Value::Blob(id_bytes(before).to_vec()));
    }
    sql += " ORDER BY id DESC LIMIT ?";
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    (sql, values)
}

fn read_record(body: &str) -> Result<Record, StoreError> {
    from_json("record", body)
}
