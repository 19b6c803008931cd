//! The rows of the ledger and the SQL on them: what changes of a record is kept as JSON, with columns beside it for finding
//! it; the body of its notification, which hardly ever changes, stands in a row of its own.

use super::columns::{from_json, id_bytes, to_json};
use super::limits::SWEEP_STEP_ROWS;
use super::record_state::{self, RecordState};
use super::store_error::StoreError;
use crate::domain::{ChatId, Notification, NotificationId, Record, Status, Timestamp};
use rusqlite::{Connection, params};

/// A record for its courier to change: with the notification as the courier has it.
pub struct CourierRecord {
    /// It; a new one if there was none.
    pub record: Record,
    /// What its row says, if it has one.
    stored: Option<StoredRecord>,
}

/// What a row says that its courier does not know.
struct StoredRecord {
    number: i64,
    /// How many attempts were interrupted since the last acceptance.
    cut_offs: u32,
    chat_id: ChatId,
    /// Whether it has waited for another, so that what it replies to was not known.
    waits: bool,
}

/// The record of an id.
pub fn load(conn: &Connection, id: NotificationId) -> Result<Option<Record>, StoreError> {
    let sql = "SELECT records.body, bodies.body FROM records LEFT JOIN bodies USING (number) WHERE id = ?1";
    let mut rows = conn.prepare_cached(sql)?;
    let mut rows = rows.query([id_bytes(id)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let state = record_state::read(text(row, 0)?)?;
    let notification = from_json("record", text(row, 1)?)?;
    Ok(Some(RecordState::into_record(state, notification, |result| result)))
}

/// The record for a courier to change, a new one if it is missing; or the status that forbids it: it is final, or that
/// of a later acceptance.
pub fn load_for_courier(
    conn: &Connection,
    notification: Notification,
) -> Result<Result<CourierRecord, Status>, StoreError> {
    let mut select = conn.prepare_cached("SELECT body, number, cut_offs FROM records WHERE id = ?1")?;
    let mut rows = select.query([id_bytes(notification.id)])?;
    let Some(row) = rows.next()? else {
        return Ok(Ok(CourierRecord { record: Record::accepted(notification), stored: None }));
    };
    let state: RecordState = record_state::read(text(row, 0)?)?;
    let (number, cut_offs) = (row.get(1)?, row.get(2)?);
    if notification.accepted_at < state.accepted_at || state.status.is_final() {
        return Ok(Err(state.status));
    }
    let (chat_id, waits) = (state.chat_id.clone(), state.follows.is_some());
    let stored = Some(StoredRecord { number, cut_offs, chat_id, waits });
    Ok(Ok(CourierRecord { record: state.into_record(notification, |result| result), stored }))
}

impl CourierRecord {
    /// The chat that the notification goes to by its row: its courier may know better.
    pub fn stored_chat(&self) -> &ChatId {
        self.stored.as_ref().map_or(&self.record.notification.chat_id, |stored| &stored.chat_id)
    }

    /// Writes what has changed. When its attempt begins: counts the one before if that was interrupted (column `cut_offs`);
    /// returns how many were since the last acceptance.
    pub fn save(&self, conn: &Connection, interrupted: bool) -> Result<u32, StoreError> {
        let notification = &self.record.notification;
        let Some(stored) = &self.stored else {
            save(conn, &self.record, &to_json(notification))?;
            return Ok(0);
        };
        update(conn, &self.record, interrupted)?;
        let number = stored.number;
        if stored.waits {
            // What it follows is sent, so it is known now what it replies to.
            save_body(conn, number, &to_json(notification))?;
        } else if stored.chat_id != notification.chat_id {
            // Its group is a supergroup by now.
            let mut select = conn.prepare_cached("SELECT body FROM bodies WHERE number = ?1")?;
            let body: String = select.query_row([number], |row| row.get(0))?;
            let accepted = from_json::<Notification>("record", &body)?;
            let moved = Notification { chat_id: notification.chat_id.clone(), ..accepted };
            save_body(conn, number, &to_json(&moved))?;
        }
        Ok(stored.cut_offs + u32::from(interrupted))
    }
}

/// Writes a record whole, in place of the earlier one of the same id. `body` is its notification as JSON.
pub fn save(conn: &Connection, record: &Record, body: &str) -> Result<(), StoreError> {
    // No statement here returns what it has written: SQLite keeps a journal for each that does.
    let insert = "INSERT INTO records (id, bot, status, finished_at, body, expires_at, lane)
        VALUES (?1, ?2, moved(?2, ?7, NULL, ?3), ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
    let notification = &record.notification;
    let columns = params![
        id_bytes(notification.id),
        notification.bot.as_str(),
        record.status.as_str(),
        finished_at(record),
        record_state::write(record),
        notification.expires_at.unix_millis(),
        notification.lane as i64,
    ];
    if conn.prepare_cached(insert)?.execute(columns)? == 1 {
        return save_body(conn, conn.last_insert_rowid(), body);
    }
    let update = "UPDATE records SET bot = ?2, status = coalesce(moved(bot, lane, status, NULL), ?3), finished_at = ?4,
        body = ?5, expires_at = max(expires_at, ?6), lane = ?7 WHERE id = ?1";
    conn.prepare_cached(update)?.execute(columns)?;
    let mut select = conn.prepare_cached("SELECT number FROM records WHERE id = ?1")?;
    save_body(conn, select.query_row([id_bytes(notification.id)], |row| row.get(0))?, body)
}

/// Writes what has changed of a record that is there.
pub fn save_change(conn: &Connection, record: &Record) -> Result<(), StoreError> {
    update(conn, record, false)
}

fn update(conn: &Connection, record: &Record, interrupted: bool) -> Result<(), StoreError> {
    let (id, status, body) = (id_bytes(record.notification.id), record.status.as_str(), record_state::write(record));
    let Some(finished_at) = finished_at(record) else {
        // What stays open keeps its place in the indexes of times: to name their columns would write it there anew.
        let sql = "UPDATE records SET status = moved(bot, lane, status, ?2), body = ?3, cut_offs = cut_offs + ?4 WHERE id = ?1";
        conn.prepare_cached(sql)?.execute(params![id, status, body, interrupted])?;
        return Ok(());
    };
    let sql =
        "UPDATE records SET status = moved(bot, lane, status, ?2), body = ?3, cut_offs = cut_offs + ?4, finished_at = ?5,
        expires_at = max(expires_at, ?6) WHERE id = ?1";
    let expires_at = record.notification.expires_at.unix_millis();
    conn.prepare_cached(sql)?.execute(params![id, status, body, interrupted, finished_at, expires_at])?;
    Ok(())
}

fn save_body(conn: &Connection, number: i64, body: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO bodies (number, body) VALUES (?1, ?2) ON CONFLICT (number) DO UPDATE SET body = ?2";
    conn.prepare_cached(sql)?.execute(params![number, body])?;
    Ok(())
}

fn finished_at(record: &Record) -> Option<i64> {
    record.status.is_final().then(|| record.updated_at.unix_millis())
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

/// A text column, which may be missing in a row that is damaged.
pub fn text<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<&'a str, StoreError> {
    row.get_ref(column)?.as_str().map_err(|error| StoreError::unreadable("record", error))
}
