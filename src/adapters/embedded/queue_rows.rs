//! The rows of the queue and the SQL on them. A lane's order is the order of `seq`; a row that was deferred takes its
//! old place when it is due.
//!
//! A row is ready, scheduled (waits for its due time), unacked (handed to the owner), or unreadable; triggers keep the
//! number of each (`lane_counts`). A delivery tag names a row and which of its deliveries is meant, so that a second ack
//! of an old delivery never means a new one.

use super::columns::{id_bytes, id_from_bytes, to_json};
use super::limits::{CLAIM_ROOM, MAX_ROWS_REQUEUED};
use super::store_error::StoreError;
use crate::domain::{BotName, Notification, NotificationId, Timestamp};
use crate::ports::Depth;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// The column `state`: waits for its turn.
pub const READY: i64 = 0;
/// Waits for its due time.
pub const SCHEDULED: i64 = 1;
/// Handed to the owner.
pub const UNACKED: i64 = 2;
/// Set aside.
pub const UNREADABLE: i64 = 3;

/// How many of a delivery tag's low bits count the deliveries of its row (column `turns`).
const TURN_BITS: u32 = 20;
/// These bits.
const TURN_MASK: i64 = (1 << TURN_BITS) - 1;

/// A row to be written.
pub struct QueueRow {
    id: [u8; 16],
    /// The bot in whose queue it stands.
    pub bot: BotName,
    lane: i64,
    /// The chat in whose order it stands, if it stands in one.
    chat: Option<String>,
    state: i64,
    due: i64,
    /// Empty if it is that of the record.
    body: String,
    /// The size of the body that stands elsewhere.
    size: i64,
}

impl QueueRow {
    /// The row of a notification, scheduled if the notification has a `send_at`.
    pub fn of(notification: &Notification) -> Self {
        Self::with_body(notification, to_json(notification), 0)
    }

    /// The same for one whose record has the same body.
    pub fn beside_record(notification: &Notification, body: &str) -> Self {
        Self::with_body(notification, String::new(), i64::try_from(body.len()).unwrap_or(i64::MAX))
    }

    fn with_body(notification: &Notification, body: String, size: i64) -> Self {
        // A retry has the id of its first acceptance and a place at the end of the lane: none may wait for it.
        let is_retry = notification.first_accepted_at.is_some();
        let mut row = Self {
            id: id_bytes(notification.id),
            bot: notification.bot.clone(),
            lane: notification.lane as i64,
            chat: (notification.keeps_order() && !is_retry).then(|| notification.chat_id.to_string()),
            state: READY,
            due: 0,
            body,
            size,
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

    /// Whether it waits for nothing but its turn.
    pub fn is_ready(&self) -> bool {
        self.state == READY
    }

    /// The size of its body, wherever that stands.
    pub fn bytes(&self) -> usize {
        self.body.len().max(usize::try_from(self.size).unwrap_or(usize::MAX))
    }

    /// Puts it at the end of its lane.
    pub fn insert(&self, conn: &Connection) -> Result<(), StoreError> {
        self.insert_as(conn, self.state, 0).map(drop)
    }

    /// The same for one that is handed to the owner at once; returns the tag of that delivery.
    pub fn insert_unacked(&self, conn: &Connection) -> Result<u64, StoreError> {
        Ok(delivery_tag(self.insert_as(conn, UNACKED, 1)?, 1))
    }

    fn insert_as(&self, conn: &Connection, state: i64, turns: i64) -> Result<i64, StoreError> {
        let sql = "INSERT INTO queue (id, bot, lane, chat, state, due, turns, handed, body, size)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)";
        let Self { id, bot, lane, chat, due, body, size, .. } = self;
        let values = params![id, bot.as_str(), lane, chat, state, due, turns, body, size];
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(conn.last_insert_rowid())
    }

    /// The same in place of what still waits under the same id: a cancelled one that is accepted again before its time. What
    /// its courier has put back stays: it counts on the number of its arrival, and drops it as cancelled.
    pub fn insert_instead(&self, conn: &Connection) -> Result<(), StoreError> {
        let sql = "DELETE FROM queue WHERE id = ?1 AND state IN (?2, ?3)
            AND CASE WHEN json_valid(body) THEN body ->> '$.deferral' IS NULL ELSE true END";
        conn.prepare_cached(sql)?.execute(params![self.id, READY, SCHEDULED])?;
        self.insert(conn)
    }

    /// Puts it in the place of the row that is unacked under a delivery tag; `false` if that delivery was acked or
    /// deferred already.
    pub fn put_back(&self, conn: &Connection, tag: u64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE queue SET lane = ?3, chat = ?4, state = ?5, due = ?6, handed = 0, body = ?7, size = 0
                WHERE {UNACKED_UNDER_TAG}"
        );
        let (seq, turn) = row_and_turn(tag);
        let values = params![seq, turn, self.lane, self.chat, self.state, self.due, self.body];
        Ok(conn.prepare_cached(&sql)?.execute(values)? > 0)
    }
}

/// Gives the rows of a notification whose body is that of its record a body of their own, since the record gets another.
pub fn part_from_record(conn: &Connection, notification: &Notification) -> Result<(), StoreError> {
    let mut select = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM queue WHERE id = ?1 AND body = '')")?;
    let id = id_bytes(notification.id);
    if select.query_row([id], |row| row.get(0))? {
        let sql = "UPDATE queue SET body = ?2 WHERE id = ?1 AND body = ''";
        conn.prepare_cached(sql)?.execute(params![id, to_json(notification)])?;
    }
    Ok(())
}

/// The row of a delivery, if that is out; the parameters are [`row_and_turn`].
const UNACKED_UNDER_TAG: &str = "seq = ?1 AND state = 2 AND (turns & 1048575) = ?2";

/// Removes the row that is unacked under a delivery tag for good; `false` if that delivery was acked or deferred already.
pub fn delete(conn: &Connection, tag: u64) -> Result<bool, StoreError> {
    let (seq, turn) = row_and_turn(tag);
    let mut delete = conn.prepare_cached(&format!("DELETE FROM queue WHERE {UNACKED_UNDER_TAG}"))?;
    Ok(delete.execute([seq, turn])? > 0)
}

/// Makes ready some of what an earlier owner left unacked, to be delivered again (at-least-once); `true` while there is
/// more.
pub fn requeue_unacked(conn: &Connection, bot: &BotName) -> Result<bool, StoreError> {
    let sql = "UPDATE queue SET state = ?2 WHERE seq IN
        (SELECT seq FROM queue WHERE bot = ?1 AND state = ?3 ORDER BY due, lane, seq LIMIT ?4)";
    let values = params![bot.as_str(), READY, UNACKED, MAX_ROWS_REQUEUED];
    Ok(conn.prepare_cached(sql)?.execute(values)? > 0)
}

/// An id below a notification's own that is still to be sent, of the same bot, chat and lane: the lowest under the chat's
/// present id, or else under its former one.
pub fn first_before(
    conn: &Connection,
    notification: &Notification,
    former_chat: Option<&str>,
) -> Result<Option<NotificationId>, StoreError> {
    // Between its end and its ack a row is still there.
    let sql = "SELECT id FROM queue WHERE bot = ?1 AND chat = ?2 AND lane = ?3 AND id < ?4
        AND NOT EXISTS (SELECT 1 FROM records WHERE records.id = queue.id AND finished_at IS NOT NULL)
        ORDER BY id LIMIT 1";
    let (bot, lane, id) = (notification.bot.as_str(), notification.lane as i64, id_bytes(notification.id));
    let mut select = conn.prepare_cached(sql)?;
    for chat in [Some(notification.chat_id.to_string().as_str()), former_chat].into_iter().flatten() {
        if let Some(first) = select.query_row(params![bot, chat, lane, id], |row| row.get(0)).optional()? {
            return Ok(Some(id_from_bytes(first)));
        }
    }
    Ok(None)
}

/// Takes a notification out that nobody holds; `None` if somebody does, else whether there was one.
pub fn withdraw(conn: &Connection, id: NotificationId) -> Result<Option<bool>, StoreError> {
    let held = "SELECT EXISTS (SELECT 1 FROM queue WHERE id = ?1 AND state = ?2)";
    if conn.prepare_cached(held)?.query_row(params![id_bytes(id), UNACKED], |row| row.get(0))? {
        return Ok(None);
    }
    let mut delete = conn.prepare_cached("DELETE FROM queue WHERE id = ?1 AND state IN (?2, ?3)")?;
    Ok(Some(delete.execute(params![id_bytes(id), READY, SCHEDULED])? > 0))
}

/// Nothing waits for one that is not to be sent, however long its row stays.
pub fn leave_order(conn: &Connection, id: NotificationId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE queue SET chat = NULL WHERE id = ?1")?.execute([id_bytes(id)])?;
    Ok(())
}

/// How many rows of a bot are in each state, by lane.
pub fn lane_counts(conn: &Connection, bot: &BotName) -> Result<[LaneCounts; 3], StoreError> {
    let mut lanes = [LaneCounts::default(); 3];
    let mut select = conn.prepare_cached("SELECT lane, state, rows FROM lane_counts WHERE bot = ?1")?;
    let mut rows = select.query([bot.as_str()])?;
    while let Some(row) = rows.next()? {
        let (lane, state, count) = (row.get::<_, u32>(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs());
        let Some(lane) = lanes.get_mut(lane as usize) else { continue };
        match state {
            READY => lane.ready = count,
            UNACKED => lane.unacked = count,
            _ => {}
        }
    }
    Ok(lanes)
}

/// How many rows of a lane there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Waiting for their turn.
    pub ready: u64,
    /// Handed to the owner.
    pub unacked: u64,
}

impl LaneCounts {
    /// Whether one more may be handed to the owner, and would pass nobody.
    pub fn is_free(self, window: u16) -> bool {
        self.ready == 0 && self.unacked < u64::from(window)
    }

    /// Whether enough rows are ready, and few enough are unacked, for a claim to be worth its transaction.
    pub fn wants_claim(self, window: u16) -> bool {
        let room = u64::from(window).saturating_sub(self.unacked);
        self.ready > 0 && room >= CLAIM_ROOM.min(u64::from(window) / 8).max(1)
    }
}

/// Ready and unacked rows of a bot, by lane.
pub fn depth(conn: &Connection, bot: &BotName) -> Result<Depth, StoreError> {
    Ok(Depth { lanes: lane_counts(conn, bot)?.map(|lane| lane.ready + lane.unacked) })
}

/// The same of all bots that have any, by name.
pub fn depths(conn: &Connection) -> Result<HashMap<String, Depth>, StoreError> {
    let mut depths = HashMap::<String, Depth>::new();
    let mut select = conn.prepare_cached("SELECT bot, lane, rows FROM lane_counts WHERE state IN (?1, ?2)")?;
    let mut rows = select.query([READY, UNACKED])?;
    while let Some(row) = rows.next()? {
        let (bot, lane, count) = (row.get(0)?, row.get::<_, u32>(1)?, row.get::<_, i64>(2)?.unsigned_abs());
        if let Some(depth) = depths.entry(bot).or_default().lanes.get_mut(lane as usize) {
            *depth += count;
        }
    }
    Ok(depths)
}

/// The tag of a row's delivery.
pub fn delivery_tag(seq: i64, turn: i64) -> u64 {
    (seq.unsigned_abs() << TURN_BITS) | (turn & TURN_MASK).unsigned_abs()
}

/// What [`delivery_tag`] was given; of the turn the low bits.
fn row_and_turn(tag: u64) -> (i64, i64) {
    ((tag >> TURN_BITS).cast_signed(), tag.cast_signed() & TURN_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Lane;

    #[test]
    fn a_tag_names_the_row_and_the_turn() {
        assert_ne!(delivery_tag(7, 1), delivery_tag(7, 2));
        assert_ne!(delivery_tag(7, 1), delivery_tag(8, 1));
        assert_eq!(row_and_turn(delivery_tag(7, 3)), (7, 3));
        assert_eq!(row_and_turn(delivery_tag(7, TURN_MASK + 4)), (7, 3));
        assert!(UNACKED_UNDER_TAG.contains(&format!("state = {UNACKED} AND (turns & {TURN_MASK})")));
    }

    #[test]
    fn the_counts_follow_every_change_of_a_row() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = super::super::schema::open_writer(&folder.path().join("queue.db")).unwrap();
        super::super::schema::prepare_writer(&mut conn).unwrap();
        let bot = BotName::default_bot();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let (lane, state, seq) = (random.i64(0..3), random.i64(0..4), random.i64(1..60));
            match random.u8(0..6) {
                0..3 => {
                    let sql = "INSERT INTO queue (id, bot, lane, state, due, body) VALUES (?1, ?2, ?3, ?4, 0, '{}')";
                    conn.execute(sql, params![seq.to_be_bytes(), bot.as_str(), lane, state]).unwrap();
                }
                3 => _ = conn.execute("UPDATE queue SET lane = ?2, state = ?3 WHERE seq % 60 = ?1", [seq, lane, state]),
                4 => _ = conn.execute("DELETE FROM queue WHERE seq % 60 = ?1", [seq]),
                _ => _ = requeue_unacked(&conn, &bot).unwrap(),
            }
            let counts = lane_counts(&conn, &bot).unwrap();
            let count = |lane: Lane, state: i64| {
                let sql = "SELECT count(*) FROM queue WHERE lane = ?1 AND state = ?2";
                conn.query_row(sql, [lane as i64, state], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
            };
            let counted = Lane::ALL.map(|lane| LaneCounts { ready: count(lane, READY), unacked: count(lane, UNACKED) });
            assert_eq!(counts, counted);
        }
    }
}
