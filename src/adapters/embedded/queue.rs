//! The queue as rows. A lane's order is the order of `seq`; a row that was deferred takes its old place when it is due.

use super::clerk::{Clerk, Offices};
use super::fault::Fault;
use super::ledger::{json, key_of};
use super::store::Store;
use super::writer::Durability;
use crate::domain::{BotName, Lane, Notification, Timestamp};
use crate::ports::{Delivery, Depth, Queue, QueueError, Receipt, Subscription};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, named_params, params};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

const READY: i64 = 0;
const WAITS: i64 = 1;
const OUT: i64 = 2;
const UNREADABLE: i64 = 3;

/// How many rows of a lane one look takes at the most; bounds the memory and the time of a transaction.
const LOOK: usize = 64;
/// How many of a tag's bits count the turns of its row.
const TURN_BITS: u32 = 20;

/// The queue in the file.
pub struct EmbeddedQueue {
    store: Arc<Store>,
    offices: Arc<Offices>,
}

impl EmbeddedQueue {
    /// Over the open file.
    pub fn new(store: Arc<Store>, offices: Arc<Offices>) -> Self {
        Self { store, offices }
    }

    /// Does something to the row behind a receipt, if the receipt is of the present ownership. A row that has left the
    /// receipt's delivery behind (acked or deferred already) is left alone.
    async fn with_row(
        &self,
        receipt: &Receipt,
        durability: Durability,
        change: impl FnOnce(&Connection, i64) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<(), QueueError> {
        let (receipt, offices) = (receipt.clone(), self.offices.clone());
        let office = offices.open(&receipt.bot);
        let present = self.store.write(durability, move |conn| {
            // Asked on the writer's thread: a later owner takes back its rows only after this transaction.
            if !office.is_present(receipt.epoch) {
                return Ok(false);
            }
            if let Some(seq) = row_of(conn, receipt.tag)? {
                change(conn, seq)?;
                offices.wake(&receipt.bot);
            }
            Ok(true)
        });
        if present.await? { Ok(()) } else { Err(QueueError::Stale) }
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError> {
        let row = Row::of(notification);
        let offices = self.offices.clone();
        let put = move |conn: &Connection| {
            row.insert(conn)?;
            offices.wake(&row.bot);
            Ok(())
        };
        Ok(self.store.write(Durability::Disk, put).await?)
    }

    async fn subscribe(&self, bot: &BotName, window: u16) -> Result<Subscription, QueueError> {
        let window = window.max(1);
        let (owned, ownership) = watch::channel(None);
        let (sender, deliveries) = mpsc::channel(usize::from(window) * Lane::ALL.len());
        let clerk = Clerk {
            store: self.store.clone(),
            offices: self.offices.clone(),
            bot: bot.clone(),
            window,
            owned,
            deliveries: sender,
        };
        tokio::spawn(clerk.run());
        Ok(Subscription { ownership, deliveries })
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        // An ack that a power cut undoes is a redelivery of something final, which the ledger stops.
        let remove = |conn: &Connection, seq| conn.prepare_cached("DELETE FROM queue WHERE seq = ?1")?.execute([seq]);
        self.with_row(receipt, Durability::Process, remove).await
    }

    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError> {
        let mut row = Row::of(notification);
        row.wait_until(until);
        let put_back = move |conn: &Connection, seq| {
            let sql = "UPDATE queue SET lane = ?2, state = ?3, due = ?4, handed = 0, body = ?5 WHERE seq = ?1";
            conn.prepare_cached(sql)?.execute(params![seq, row.lane, row.state, row.due, row.body])
        };
        self.with_row(receipt, Durability::Disk, put_back).await
    }

    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError> {
        let bot = bot.clone();
        let count = move |conn: &Connection| {
            let mut lanes = [0; 3];
            for (lane, count) in lanes.iter_mut().enumerate() {
                for state in [READY, OUT] {
                    *count += count_rows(conn, &bot, state, lane as i64)?;
                }
            }
            Ok(Depth { lanes })
        };
        Ok(self.store.read(count).await?)
    }

    async fn ready(&self) -> Result<(), QueueError> {
        Ok(self.store.ready().await?)
    }
}

/// A row to be.
pub struct Row {
    id: [u8; 16],
    /// Whose.
    pub bot: BotName,
    lane: i64,
    state: i64,
    due: i64,
    body: String,
}

impl Row {
    /// The row of a notification that waits for its `send_at`, if it has one.
    pub fn of(notification: &Notification) -> Self {
        let mut row = Self {
            id: key_of(notification.id),
            bot: notification.bot.clone(),
            lane: notification.lane as i64,
            state: READY,
            due: 0,
            body: json(notification),
        };
        if let Some(at) = notification.send_at {
            row.wait_until(at);
        }
        row
    }

    /// Only a moment that is to come makes it wait. What is ready has no time: a clock that is set back later must not
    /// hold it up.
    fn wait_until(&mut self, at: Timestamp) {
        (self.state, self.due) = if at > Timestamp::now() { (WAITS, at.unix_millis()) } else { (READY, 0) };
    }

    /// Puts it at the end of its lane.
    pub fn insert(&self, conn: &Connection) -> Result<(), Fault> {
        let sql = "INSERT INTO queue (id, bot, lane, state, due, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![self.id, self.bot.as_str(), self.lane, self.state, self.due, self.body];
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// The same in place of what still waits under the same id: a cancelled one that is taken in again before its time.
    pub fn insert_instead(&self, conn: &Connection) -> Result<(), Fault> {
        let sql = "DELETE FROM queue WHERE id = ?1 AND state IN (?2, ?3)";
        conn.prepare_cached(sql)?.execute(params![self.id, READY, WAITS])?;
        self.insert(conn)
    }
}

/// What one look handed out.
pub struct Batch {
    /// In the order in which to deliver.
    pub deliveries: Vec<Delivery>,
    /// Whether another look would find more at once.
    pub more: bool,
    /// When the next row becomes due.
    pub next_due: Option<Timestamp>,
}

/// Makes ready what an earlier owner held.
pub fn take_back(conn: &Connection, bot: &BotName) -> Result<(), Fault> {
    let sql = "UPDATE queue SET state = ?2 WHERE bot = ?1 AND state = ?3";
    conn.prepare_cached(sql)?.execute(params![bot.as_str(), READY, OUT])?;
    Ok(())
}

/// Takes what is due, urgent first, as far as the windows have room.
pub fn hand_out(conn: &Connection, bot: &BotName, epoch: u64, window: u16, now: Timestamp) -> Result<Batch, Fault> {
    let due = "UPDATE queue SET state = ?3, due = 0 WHERE bot = ?1 AND state = ?2 AND due <= ?4";
    conn.prepare_cached(due)?.execute(params![bot.as_str(), WAITS, READY, now.unix_millis()])?;
    let mut batch = Batch { deliveries: Vec::new(), more: false, next_due: None };
    for lane in Lane::ALL {
        let out = usize::try_from(count_rows(conn, bot, OUT, lane as i64)?).unwrap_or(usize::MAX);
        let room = usize::from(window).saturating_sub(out);
        let taken = take(conn, bot, lane, epoch, room.min(LOOK), &mut batch.deliveries)?;
        batch.more |= taken == LOOK && room > LOOK;
    }
    let next = "SELECT min(due) FROM queue WHERE bot = ?1 AND state = ?2";
    let next: Option<i64> = conn.prepare_cached(next)?.query_row(params![bot.as_str(), WAITS], |row| row.get(0))?;
    batch.next_due = next.map(Timestamp::from_unix_millis);
    Ok(batch)
}

fn take(
    conn: &Connection,
    bot: &BotName,
    lane: Lane,
    epoch: u64,
    limit: usize,
    into: &mut Vec<Delivery>,
) -> Result<usize, Fault> {
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
    let taken = rows.len();
    for (seq, turns, redeliveries, body) in rows {
        match read(&body) {
            Ok(notification) => {
                mark.execute([seq, OUT])?;
                let receipt = Receipt { bot: bot.clone(), lane, epoch, tag: tag(seq, turns + 1) };
                into.push(Delivery { notification, receipt, redeliveries });
            }
            Err(error) => {
                tracing::error!(%bot, seq, %error, "a queued notification cannot be read; it is set aside");
                mark.execute([seq, UNREADABLE])?;
            }
        }
    }
    Ok(taken)
}

fn read(body: &str) -> Result<Notification, String> {
    let notification: Notification = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if notification.v > Notification::VERSION {
        return Err(format!("it has layout {}, written by a newer version", notification.v));
    }
    Ok(notification)
}

fn count_rows(conn: &Connection, bot: &BotName, state: i64, lane: i64) -> Result<u64, Fault> {
    let sql = "SELECT count(*) FROM queue WHERE bot = ?1 AND state = ?2 AND due = 0 AND lane = ?3";
    let count: i64 = conn.prepare_cached(sql)?.query_row(params![bot.as_str(), state, lane], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// A receipt's number: the row and which of its turns, so that a second word on an old delivery never means a new one.
fn tag(seq: i64, turn: i64) -> u64 {
    (seq.unsigned_abs() << TURN_BITS) | turn_of(turn.unsigned_abs())
}

fn turn_of(number: u64) -> u64 {
    number & ((1 << TURN_BITS) - 1)
}

/// The row that is out under a tag.
fn row_of(conn: &Connection, tag: u64) -> Result<Option<i64>, Fault> {
    let seq = i64::try_from(tag >> TURN_BITS).map_err(|error| Fault::unreadable("receipt", error))?;
    let sql = "SELECT turns FROM queue WHERE seq = ?1 AND state = ?2";
    let turns: Option<i64> = conn.prepare_cached(sql)?.query_row([seq, OUT], |row| row.get(0)).optional()?;
    Ok(turns.filter(|turns| turn_of(turns.unsigned_abs()) == turn_of(tag)).map(|_| seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_row_and_the_turn() {
        assert_ne!(tag(7, 1), tag(7, 2));
        assert_ne!(tag(7, 1), tag(8, 1));
        assert_eq!(tag(7, 3) >> TURN_BITS, 7);
        assert_eq!(turn_of(tag(7, 3)), 3);
    }

    #[test]
    fn what_a_newer_version_wrote_is_refused() {
        assert!(read("{}").is_err());
        assert!(read(r#"{"v":9,"id":"#).is_err());
    }
}
