//! The rows of the queue and the SQL on them. A lane's order is the order of `seq`; a row that was deferred takes its
//! old place when it is due.
//!
//! A row is ready, scheduled (waits for its due time), unacked (handed to the owner), or unreadable. Each statement that changes
//! which says so to the counts, by `queued` (`row_counts`). A delivery tag names a row and which of its deliveries is meant, so
//! that a second ack of an old delivery never means a new one.

use super::columns::{id_bytes, id_from_bytes, to_json};
use super::limits::{CLAIM_ROOM, MAX_ROWS_REQUEUED};
use super::store_error::StoreError;
use crate::domain::{BotName, Notification, NotificationId, Timestamp};
use crate::ports::Receipt;
use rusqlite::{Connection, OptionalExtension, params};

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

    /// What it waits for, if it is not ready.
    pub fn due(&self) -> Option<Timestamp> {
        (!self.is_ready()).then(|| Timestamp::from_unix_millis(self.due))
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
            VALUES (?1, ?2, ?3, ?4, queued(?2, ?3, NULL, ?5), ?6, ?7, ?7, ?8, ?9)";
        let Self { id, bot, lane, chat, due, body, size, .. } = self;
        let values = params![id, bot.as_str(), lane, chat, state, due, turns, body, size];
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(conn.last_insert_rowid())
    }

    /// The same in place of what still waits under the same id: a cancelled one that is accepted again before its time. What
    /// its courier has put back stays: it counts on the number of its arrival, and drops it as cancelled.
    pub fn insert_instead(&self, conn: &Connection) -> Result<(), StoreError> {
        delete_waiting(conn, self.id, "CASE WHEN json_valid(body) THEN body ->> '$.deferral' IS NULL ELSE true END")?;
        self.insert(conn)
    }

    /// Puts it in the place of the row that is unacked under a delivery tag; `false` if that delivery was acked or
    /// deferred already.
    pub fn put_back(&self, conn: &Connection, tag: u64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE queue SET lane = ?3, chat = ?4, state = coalesce(queued(bot, lane, state, NULL), queued(bot, ?3, NULL, ?5)),
                due = ?6, handed = 0, body = ?7, size = 0 WHERE {UNACKED_UNDER_TAG}"
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

/// Removes the row of a delivery for good; `false` if that was acked or deferred already.
pub fn delete(conn: &Connection, receipt: &Receipt) -> Result<bool, StoreError> {
    let (seq, turn) = row_and_turn(receipt.tag);
    let mut delete = conn.prepare_cached(&format!("DELETE FROM queue WHERE {UNACKED_UNDER_TAG}"))?;
    let deleted = delete.execute([seq, turn])? > 0;
    if deleted {
        has_left(conn, receipt.bot.as_str(), receipt.lane as i64, UNACKED)?;
    }
    Ok(deleted)
}

/// Notes that a row is deleted. A DELETE cannot, since it may call a function for rows that it leaves.
fn has_left(conn: &Connection, bot: &str, lane: i64, state: i64) -> Result<(), StoreError> {
    let mut select = conn.prepare_cached("SELECT queued(?1, ?2, ?3, NULL)")?;
    Ok(select.query_row(params![bot, lane, state], |_| Ok(()))?)
}

/// Makes ready some of what an earlier owner left unacked, to be delivered again (at-least-once); `true` while there is
/// more.
pub fn requeue_unacked(conn: &Connection, bot: &BotName) -> Result<bool, StoreError> {
    let sql = "UPDATE queue SET state = queued(bot, lane, state, ?2) WHERE seq IN
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
    Ok(Some(delete_waiting(conn, id_bytes(id), "true")?))
}

/// Removes the rows of an id that nobody holds and of which a condition is true; `false` if there is none.
fn delete_waiting(conn: &Connection, id: [u8; 16], condition: &str) -> Result<bool, StoreError> {
    let sql = format!("SELECT seq, bot, lane, state FROM queue WHERE id = ?1 AND state IN (?2, ?3) AND {condition}");
    let mut select = conn.prepare_cached(&sql)?;
    let rows = select.query_map(params![id, READY, SCHEDULED], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
    })?;
    let rows: Vec<(i64, _, _, _)> = rows.collect::<rusqlite::Result<_>>()?;
    for (seq, bot, lane, state) in &rows {
        conn.prepare_cached("DELETE FROM queue WHERE seq = ?1")?.execute([seq])?;
        has_left(conn, bot, *lane, *state)?;
    }
    Ok(!rows.is_empty())
}

/// Nothing waits for one that is not to be sent, however long its row stays.
pub fn leave_order(conn: &Connection, id: NotificationId) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE queue SET chat = NULL WHERE id = ?1")?.execute([id_bytes(id)])?;
    Ok(())
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
    use super::super::claim::claim_batch;
    use super::super::ownership_table::OwnershipTable;
    use super::*;
    use crate::domain::Lane;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_tag_names_the_row_and_the_turn() {
        assert_ne!(delivery_tag(7, 1), delivery_tag(7, 2));
        assert_ne!(delivery_tag(7, 1), delivery_tag(8, 1));
        assert_eq!(row_and_turn(delivery_tag(7, 3)), (7, 3));
        assert_eq!(row_and_turn(delivery_tag(7, TURN_MASK + 4)), (7, 3));
        assert!(UNACKED_UNDER_TAG.contains(&format!("state = {UNACKED} AND (turns & {TURN_MASK})")));
    }

    fn notification(id: u8, lane: Lane) -> Notification {
        let call = json!({"method": "sendMessage", "params": {}, "media": []});
        let written = json!({
            "v": 1, "id": format!("01a228f1-405f-7114-8a5b-d2bd8ff129{id:02x}"), "bot": "default", "chat_id": 7, "lane": lane,
            "delivery": "at_least_once", "call": call, "accepted_at": "2026-01-01T00:00:00.123Z",
            "expires_at": "2099-01-02T00:00:00Z", "tags": [], "attempts": 0,
        });
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn the_counts_follow_every_change_of_a_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let mut conn = super::super::schema::open_writer(&path).unwrap();
        let counts = super::super::schema::prepare_writer(&mut conn).unwrap();
        let owners = OwnershipTable::new(counts.clone());
        let (bot, mut random, now) = (BotName::default_bot(), fastrand::Rng::with_seed(7), Timestamp::now());
        let mut out = Vec::new();
        for step in 0..2_000 {
            let notification = notification(random.u8(0..60), Lane::ALL[random.usize(0..3)]);
            let mut row = QueueRow::of(&notification);
            if random.bool() {
                row.schedule(now.plus(Duration::from_secs(random.u64(1..3_600))));
            }
            conn.execute_batch("SAVEPOINT step").unwrap();
            let (before, taken) = (counts.changes(), out.clone());
            match random.u8(0..9) {
                0 | 1 => row.insert(&conn).unwrap(),
                2 => {
                    let tag = row.insert_unacked(&conn).unwrap();
                    out.push(Receipt { bot: bot.clone(), lane: notification.lane, epoch: 1, tag });
                }
                3 => row.insert_instead(&conn).unwrap(),
                4 => _ = withdraw(&conn, notification.id).unwrap(),
                5 => {
                    let batch = claim_batch(&conn, &owners, &bot, 1, 4, now).unwrap();
                    out.extend(batch.deliveries.into_iter().map(|delivery| delivery.receipt));
                }
                6 if !out.is_empty() => _ = delete(&conn, &out.swap_remove(random.usize(..out.len()))).unwrap(),
                7 if !out.is_empty() => {
                    _ = row.put_back(&conn, out.swap_remove(random.usize(..out.len())).tag).unwrap()
                }
                _ if random.u8(0..20) == 0 => _ = requeue_unacked(&conn, &bot).unwrap(),
                _ => {}
            }
            if random.u8(0..4) == 0 {
                conn.execute_batch("ROLLBACK TO step").unwrap();
                counts.undo_to(before);
                out = taken;
            }
            conn.execute_batch("RELEASE step").unwrap();
            let count = |lane: Lane, state: i64| {
                let sql = "SELECT count(*) FROM queue WHERE lane = ?1 AND state = ?2";
                conn.query_row(sql, [lane as i64, state], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
            };
            let counted = Lane::ALL.map(|lane| LaneCounts { ready: count(lane, READY), unacked: count(lane, UNACKED) });
            assert_eq!(counts.present_lanes_of(&bot), counted, "step {step}");
        }
        assert!(
            counts.present_lanes_of(&bot).iter().all(|lane| lane.ready > 0 && lane.unacked > 0),
            "it has tried much"
        );
        assert_eq!(counts.lanes_of(&bot), [LaneCounts::default(); 3], "not committed");
        counts.keep();
        let counted = counts.lanes_of(&bot);
        assert_eq!(counted, counts.present_lanes_of(&bot));
        drop(conn);
        let mut conn = super::super::schema::open_writer(&path).unwrap();
        assert_eq!(super::super::schema::prepare_writer(&mut conn).unwrap().lanes_of(&bot), counted, "counted anew");
    }
}
