//! The rows of the queue and the SQL on them. A lane's order is the order of `seq`; a row that was deferred takes its
//! old place when it is due.
//!
//! A row is ready, scheduled (waits for its due time), unacked (handed to the owner), or unreadable. A delivery tag
//! names a row and which of its deliveries is meant, so that a second ack of an old delivery never means a new one.

use super::columns::{id_bytes, to_json};
use super::limits::{MAX_ROWS_MADE_READY, MAX_ROWS_PER_CLAIM};
use super::store_error::StoreError;
use crate::domain::{BotName, Lane, Notification, Timestamp};
use crate::ports::{Delivery, Depth, Receipt};
use rusqlite::{Connection, OptionalExtension, named_params, params};

/// The column `state`.
const READY: i64 = 0;
const SCHEDULED: i64 = 1;
const UNACKED: i64 = 2;
const UNREADABLE: i64 = 3;

/// How many of a delivery tag's low bits count the deliveries of its row (column `turns`).
const TURN_BITS: u32 = 20;

/// A row to be written.
pub struct QueueRow {
    id: [u8; 16],
    /// The bot in whose queue it stands.
    pub bot: BotName,
    lane: i64,
    state: i64,
    due: i64,
    body: String,
}

impl QueueRow {
    /// The row of a notification, scheduled if the notification has a `send_at`.
    pub fn of(notification: &Notification) -> Self {
        let mut row = Self {
            id: id_bytes(notification.id),
            bot: notification.bot.clone(),
            lane: notification.lane as i64,
            state: READY,
            due: 0,
            body: to_json(notification),
        };
        if let Some(at) = notification.send_at {
            row.schedule(at);
        }
        row
    }

    /// Makes it wait if the moment is in the future. What is ready has no time: a clock that is set back later must not
    /// hold it up.
    pub fn schedule(&mut self, at: Timestamp) {
        (self.state, self.due) = if at > Timestamp::now() { (SCHEDULED, at.unix_millis()) } else { (READY, 0) };
    }

    /// Puts it at the end of its lane.
    pub fn insert(&self, conn: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT INTO queue (id, bot, lane, state, due, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![self.id, self.bot.as_str(), self.lane, self.state, self.due, self.body];
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// The same in place of what still waits under the same id: a cancelled one that is accepted again before its time.
    pub fn insert_instead(&self, conn: &Connection) -> Result<(), StoreError> {
        let sql = "DELETE FROM queue WHERE id = ?1 AND state IN (?2, ?3)";
        conn.prepare_cached(sql)?.execute(params![self.id, READY, SCHEDULED])?;
        self.insert(conn)
    }

    /// Puts it in the place of an unacked row, which is not unacked any more.
    pub fn put_back(&self, conn: &Connection, seq: i64) -> Result<(), StoreError> {
        let sql = "UPDATE queue SET lane = ?2, state = ?3, due = ?4, handed = 0, body = ?5 WHERE seq = ?1";
        conn.prepare_cached(sql)?.execute(params![seq, self.lane, self.state, self.due, self.body])?;
        Ok(())
    }
}

/// What one claim took.
pub struct ClaimedBatch {
    /// In the order in which to deliver.
    pub deliveries: Vec<Delivery>,
    /// Whether another claim would find more at once.
    pub more: bool,
    /// When the next scheduled row becomes due.
    pub next_due: Option<Timestamp>,
}

/// Makes ready what an earlier owner left unacked, to be delivered again (at-least-once).
pub fn requeue_unacked(conn: &Connection, bot: &BotName) -> Result<(), StoreError> {
    let sql = "UPDATE queue SET state = ?2 WHERE bot = ?1 AND state = ?3";
    conn.prepare_cached(sql)?.execute(params![bot.as_str(), READY, UNACKED])?;
    Ok(())
}

/// Claims what is due, urgent lane first, up to `window` unacked rows per lane.
pub fn claim_batch(
    conn: &Connection,
    bot: &BotName,
    epoch: u64,
    window: u16,
    now: Timestamp,
) -> Result<ClaimedBatch, StoreError> {
    let made_ready = make_due_rows_ready(conn, bot, now)?;
    let mut batch = ClaimedBatch { deliveries: Vec::new(), more: made_ready == MAX_ROWS_MADE_READY, next_due: None };
    for lane in Lane::ALL {
        let unacked = usize::try_from(count_rows(conn, bot, UNACKED, lane as i64)?).unwrap_or(usize::MAX);
        let room = usize::from(window).saturating_sub(unacked);
        let claimed = claim_lane(conn, bot, lane, epoch, room.min(MAX_ROWS_PER_CLAIM), &mut batch.deliveries)?;
        batch.more |= claimed == MAX_ROWS_PER_CLAIM && room > MAX_ROWS_PER_CLAIM;
    }
    let next = "SELECT min(due) FROM queue WHERE bot = ?1 AND state = ?2";
    let next: Option<i64> = conn.prepare_cached(next)?.query_row(params![bot.as_str(), SCHEDULED], |row| row.get(0))?;
    batch.next_due = next.map(Timestamp::from_unix_millis);
    Ok(batch)
}

/// Makes scheduled rows ready whose time has come, the earliest first, up to [`MAX_ROWS_MADE_READY`]; returns how many.
fn make_due_rows_ready(conn: &Connection, bot: &BotName, now: Timestamp) -> Result<usize, StoreError> {
    let sql = "UPDATE queue SET state = :ready, due = 0 WHERE seq IN (
        SELECT seq FROM queue WHERE bot = :bot AND state = :scheduled AND due <= :now ORDER BY due, seq LIMIT :limit)";
    let limit = i64::try_from(MAX_ROWS_MADE_READY).unwrap_or(i64::MAX);
    let values = named_params! {
        ":ready": READY, ":bot": bot.as_str(), ":scheduled": SCHEDULED, ":now": now.unix_millis(), ":limit": limit,
    };
    Ok(conn.prepare_cached(sql)?.execute(values)?)
}

/// Claims the first ready rows of a lane; returns how many rows it took, readable or not.
fn claim_lane(
    conn: &Connection,
    bot: &BotName,
    lane: Lane,
    epoch: u64,
    limit: usize,
    deliveries: &mut Vec<Delivery>,
) -> Result<usize, StoreError> {
    if limit == 0 {
        return Ok(0);
    }
    let sql = "SELECT seq, turns, handed, body FROM queue
        WHERE bot = :bot AND state = :ready AND due = 0 AND lane = :lane ORDER BY seq LIMIT :limit";
    let mut select = conn.prepare_cached(sql)?;
    let values = named_params! {
        ":bot": bot.as_str(), ":ready": READY, ":lane": lane as i64, ":limit": i64::try_from(limit).unwrap_or(i64::MAX),
    };
    let rows = select.query_map(values, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, u32>(2)?, row.get::<_, String>(3)?))
    })?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let mut mark =
        conn.prepare_cached("UPDATE queue SET state = ?2, turns = turns + 1, handed = handed + 1 WHERE seq = ?1")?;
    let claimed = rows.len();
    for (seq, turns, redeliveries, body) in rows {
        match read_notification(&body) {
            Ok(notification) => {
                mark.execute([seq, UNACKED])?;
                let receipt = Receipt { bot: bot.clone(), lane, epoch, tag: delivery_tag(seq, turns + 1) };
                deliveries.push(Delivery { notification, receipt, redeliveries });
            }
            Err(error) => {
                tracing::error!(%bot, seq, %error, "a queued notification cannot be read; it is set aside");
                mark.execute([seq, UNREADABLE])?;
            }
        }
    }
    Ok(claimed)
}

fn read_notification(body: &str) -> Result<Notification, String> {
    let notification: Notification = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if notification.v > Notification::VERSION {
        return Err(format!("it has layout {}, written by a newer version", notification.v));
    }
    Ok(notification)
}

/// Removes a row for good.
pub fn delete(conn: &Connection, seq: i64) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM queue WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// Ready and unacked rows of a bot, by lane.
pub fn depth(conn: &Connection, bot: &BotName) -> Result<Depth, StoreError> {
    let mut lanes = [0; 3];
    for (lane, count) in lanes.iter_mut().enumerate() {
        for state in [READY, UNACKED] {
            *count += count_rows(conn, bot, state, lane as i64)?;
        }
    }
    Ok(Depth { lanes })
}

fn count_rows(conn: &Connection, bot: &BotName, state: i64, lane: i64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM queue WHERE bot = ?1 AND state = ?2 AND due = 0 AND lane = ?3";
    let count: i64 = conn.prepare_cached(sql)?.query_row(params![bot.as_str(), state, lane], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The row that is unacked under a delivery tag, `None` if that delivery was acked or deferred already.
pub fn unacked_row(conn: &Connection, tag: u64) -> Result<Option<i64>, StoreError> {
    let seq = i64::try_from(tag >> TURN_BITS).map_err(|error| StoreError::unreadable("receipt", error))?;
    let sql = "SELECT turns FROM queue WHERE seq = ?1 AND state = ?2";
    let turns: Option<i64> = conn.prepare_cached(sql)?.query_row([seq, UNACKED], |row| row.get(0)).optional()?;
    Ok(turns.filter(|turns| low_turn_bits(turns.unsigned_abs()) == low_turn_bits(tag)).map(|_| seq))
}

fn delivery_tag(seq: i64, turn: i64) -> u64 {
    (seq.unsigned_abs() << TURN_BITS) | low_turn_bits(turn.unsigned_abs())
}

fn low_turn_bits(number: u64) -> u64 {
    number & ((1 << TURN_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_that_are_due_at_once_become_ready_in_steps_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let conn = super::super::schema::open_writer(&folder.path().join("queue.db")).unwrap();
        let (bot, due) = (BotName::default_bot(), Timestamp::now());
        let total = 3 * MAX_ROWS_MADE_READY as i64 + 7;
        conn.execute_batch("BEGIN").unwrap();
        for number in 0..total {
            let sql = "INSERT INTO queue (id, bot, lane, state, due, body) VALUES (?1, ?2, 1, ?3, ?4, '{}')";
            conn.execute(sql, params![number.to_be_bytes(), bot.as_str(), SCHEDULED, due.unix_millis()]).unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
        let scheduled = || {
            let sql = "SELECT count(*), coalesce(min(seq), 0) FROM queue WHERE state = ?1";
            conn.query_row(sql, [SCHEDULED], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap()
        };
        let (mut steps, mut left) = (0, total);
        while claim_batch(&conn, &bot, 1, 1, due).unwrap().more {
            steps += 1;
            let (still, first) = scheduled();
            assert_eq!((left - still, first), (MAX_ROWS_MADE_READY as i64, total - still + 1), "step {steps}");
            left = still;
        }
        assert_eq!((steps, scheduled().0), (3, 0));
    }

    #[test]
    fn a_tag_names_the_row_and_the_turn() {
        assert_ne!(delivery_tag(7, 1), delivery_tag(7, 2));
        assert_ne!(delivery_tag(7, 1), delivery_tag(8, 1));
        assert_eq!(delivery_tag(7, 3) >> TURN_BITS, 7);
        assert_eq!(low_turn_bits(delivery_tag(7, 3)), 3);
    }

    #[test]
    fn what_a_newer_version_wrote_is_refused() {
        assert!(read_notification("{}").is_err());
        assert!(read_notification(r#"{"v":9,"id":"#).is_err());
    }
}
