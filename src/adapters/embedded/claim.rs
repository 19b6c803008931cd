//! Claiming rows of the queue for the owner of their bot, in steps that are bounded whatever waits.

use super::limits::{MAX_BYTES_PER_CLAIM, MAX_DISPATCHER_SLEEP, MAX_ROWS_MADE_READY, MAX_ROWS_PER_CLAIM};
use super::ownership_table::OwnershipTable;
use super::queue_rows::{READY, SCHEDULED, UNACKED, UNREADABLE, delivery_tag};
use super::store_error::StoreError;
use crate::domain::{BotName, Lane, Notification, Timestamp};
use crate::ports::{Delivery, Receipt};
use rusqlite::{Connection, named_params, params};

/// Makes the earliest scheduled rows ready.
const MAKE_READY: &str = "UPDATE queue SET state = queued(bot, lane, state, :ready), due = 0 WHERE seq IN (
    SELECT seq FROM queue WHERE bot = :bot AND state = :scheduled AND due <= :now ORDER BY due LIMIT :limit)";
/// Reads the first ready rows of a lane. A body that is not in the row is that of the record.
const FIRST_READY: &str =
    "SELECT seq, turns + 1, handed, octet_length(body) + size, CASE WHEN body <> '' THEN body ELSE
        (SELECT bodies.body FROM records JOIN bodies USING (number) WHERE records.id = queue.id) END
    FROM queue WHERE bot = :bot AND state = :ready AND due = 0 AND lane = :lane ORDER BY seq LIMIT :limit";
/// Hands them out.
const HAND_OUT: &str =
    "UPDATE queue SET state = queued(bot, lane, state, :unacked), turns = turns + 1, handed = handed + 1
    WHERE seq IN (SELECT seq FROM queue WHERE bot = :bot AND state = :ready AND due = 0 AND lane = :lane
    ORDER BY seq LIMIT :limit)";
/// When the first scheduled row is due.
const NEXT_DUE: &str = "SELECT min(due) FROM queue WHERE bot = ?1 AND state = ?2";

/// What one claim took.
pub struct ClaimedBatch {
    /// In the order in which to deliver.
    pub deliveries: Vec<Delivery>,
    /// Whether another claim would find more at once.
    pub more: bool,
    /// Whether more is due than one step makes ready.
    pub made_many_ready: bool,
    /// When the next scheduled row becomes due.
    pub next_due: Option<Timestamp>,
}

/// Claims what is due, urgent lane first, up to `window` unacked rows per lane.
pub fn claim_batch(
    conn: &Connection,
    owners: &OwnershipTable,
    bot: &BotName,
    epoch: u64,
    window: u16,
    now: Timestamp,
) -> Result<ClaimedBatch, StoreError> {
    let made_ready = make_due_rows_ready(conn, bot, now)?;
    let made_many_ready = made_ready == MAX_ROWS_MADE_READY;
    let mut batch = ClaimedBatch { deliveries: Vec::new(), more: made_many_ready, made_many_ready, next_due: None };
    let mut bytes = 0;
    for (lane, count) in Lane::ALL.into_iter().zip(owners.present_lanes_of(bot)) {
        let room = u64::from(window).saturating_sub(count.unacked).min(count.ready);
        let claimed = claim_lane(conn, bot, lane, room.min(MAX_ROWS_PER_CLAIM), &mut bytes)?;
        batch.more |= room > claimed.len() as u64;
        for row in claimed {
            batch.deliveries.extend(row.into_delivery(conn, bot, lane, epoch)?);
        }
    }
    let mut next = conn.prepare_cached(NEXT_DUE)?;
    let next: Option<i64> = next.query_row(params![bot.as_str(), SCHEDULED], |row| row.get(0))?;
    batch.next_due = next.map(Timestamp::from_unix_millis);
    let latest = now.plus(MAX_DISPATCHER_SLEEP);
    owners.of(bot).looks_again(batch.next_due.map_or(latest, |due| due.min(latest)));
    Ok(batch)
}

/// Makes scheduled rows ready whose time has come, the earliest first, up to [`MAX_ROWS_MADE_READY`]; returns how many.
fn make_due_rows_ready(conn: &Connection, bot: &BotName, now: Timestamp) -> Result<usize, StoreError> {
    let limit = i64::try_from(MAX_ROWS_MADE_READY).unwrap_or(i64::MAX);
    let values = named_params! {
        ":ready": READY, ":bot": bot.as_str(), ":scheduled": SCHEDULED, ":now": now.unix_millis(), ":limit": limit,
    };
    Ok(conn.prepare_cached(MAKE_READY)?.execute(values)?)
}

/// A row that is handed out.
struct ClaimedRow {
    seq: i64,
    turn: i64,
    /// How often it was handed out before, since it was put here or deferred.
    redeliveries: u32,
    body: Option<String>,
}

/// Hands out the first ready rows of a lane, in their order; none once a claim has [`MAX_BYTES_PER_CLAIM`] already.
fn claim_lane(
    conn: &Connection,
    bot: &BotName,
    lane: Lane,
    limit: u64,
    bytes: &mut u64,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let mut claimed = Vec::new();
    if limit == 0 || *bytes >= MAX_BYTES_PER_CLAIM {
        return Ok(claimed);
    }
    let mut first_ready = conn.prepare_cached(FIRST_READY)?;
    let values = named_params! {
        ":bot": bot.as_str(), ":ready": READY, ":lane": lane as i64, ":limit": limit.cast_signed(),
    };
    let mut rows = first_ready.query(values)?;
    while *bytes < MAX_BYTES_PER_CLAIM
        && let Some(row) = rows.next()?
    {
        *bytes += row.get::<_, i64>(3)?.unsigned_abs();
        claimed.push(ClaimedRow { seq: row.get(0)?, turn: row.get(1)?, redeliveries: row.get(2)?, body: row.get(4)? });
    }
    let limit = i64::try_from(claimed.len()).unwrap_or(i64::MAX);
    let values = named_params! {
        ":unacked": UNACKED, ":bot": bot.as_str(), ":ready": READY, ":lane": lane as i64, ":limit": limit,
    };
    conn.prepare_cached(HAND_OUT)?.execute(values)?;
    Ok(claimed)
}

impl ClaimedRow {
    /// Its delivery; one that cannot be read is set aside.
    fn into_delivery(
        self,
        conn: &Connection,
        bot: &BotName,
        lane: Lane,
        epoch: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        let Self { seq, turn, redeliveries, body } = self;
        match read_notification(body.as_deref().unwrap_or_default()) {
            Ok(notification) => {
                let receipt = Receipt { bot: bot.clone(), lane, epoch, tag: delivery_tag(seq, turn) };
                Ok(Some(Delivery { notification, receipt, redeliveries }))
            }
            Err(error) => {
                tracing::error!(%bot, seq, %error, "a queued notification cannot be read; it is set aside");
                let set_aside = "UPDATE queue SET state = queued(bot, lane, state, ?2), chat = NULL WHERE seq = ?1";
                conn.prepare_cached(set_aside)?.execute([seq, UNREADABLE])?;
                Ok(None)
            }
        }
    }
}

fn read_notification(body: &str) -> Result<Notification, String> {
    let notification: Notification = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if notification.v > Notification::VERSION {
        return Err(format!("it has layout {}, written by a newer version", notification.v));
    }
    Ok(notification)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (Connection, OwnershipTable, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = super::super::schema::open_writer(&folder.path().join("queue.db")).unwrap();
        let counts = super::super::schema::prepare_writer(&mut conn).unwrap();
        (conn, OwnershipTable::new(counts), folder)
    }

    fn put(conn: &Connection, id: i64, (lane, state, due): (i64, i64, i64), body: &str) {
        let sql = "INSERT INTO queue (id, bot, lane, state, due, body)
            VALUES (?1, 'default', ?2, queued('default', ?2, NULL, ?3), ?4, ?5)";
        conn.execute(sql, params![id.to_be_bytes(), lane, state, due, body]).unwrap();
    }

    #[test]
    fn very_many_that_are_due_at_once_become_ready_in_steps_and_in_order() {
        let (conn, owners, _folder) = open();
        let (bot, due) = (BotName::default_bot(), Timestamp::now());
        let total = 3 * MAX_ROWS_MADE_READY as i64 + 7;
        conn.execute_batch("BEGIN").unwrap();
        for number in 0..total {
            put(&conn, number, (1, SCHEDULED, due.unix_millis()), "{}");
        }
        conn.execute_batch("COMMIT").unwrap();
        let scheduled = || {
            let sql = "SELECT count(*), coalesce(min(seq), 0) FROM queue WHERE state = ?1";
            conn.query_row(sql, [SCHEDULED], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap()
        };
        let (mut steps, mut left) = (0, total);
        while left > 0 {
            claim_batch(&conn, &owners, &bot, 1, 1, due).unwrap();
            steps += 1;
            let (still, first) = scheduled();
            let step = left.min(MAX_ROWS_MADE_READY as i64);
            assert_eq!((left - still, first), (step, if still > 0 { total - still + 1 } else { 0 }), "step {steps}");
            left = still;
        }
        assert_eq!(steps, 4);
    }

    #[test]
    fn a_claim_of_large_rows_takes_few_of_them_whatever_their_lane() {
        let (conn, owners, _folder) = open();
        let (bot, now) = (BotName::default_bot(), Timestamp::now());
        let body = format!("{{\"padding\":\"{}\"}}", "x".repeat(1_000_000));
        for number in 0..12_i64 {
            put(&conn, number, (number % 3, READY, 0), &body);
        }
        let unreadable = || {
            let sql = "SELECT count(*) FROM queue WHERE state = ?1";
            conn.query_row(sql, [UNREADABLE], |row| row.get::<_, i64>(0)).unwrap()
        };
        let mut left = 12;
        while left > 0 {
            let batch = claim_batch(&conn, &owners, &bot, 1, 1_000, now).unwrap();
            // None of them is a notification, so all that are claimed are set aside.
            let taken = left - (12 - unreadable());
            assert!((1..=3).contains(&taken), "{taken} of 1 MB");
            left -= taken;
            assert_eq!(batch.more, left > 0);
        }
    }

    #[test]
    fn no_step_of_a_claim_looks_at_more_rows_than_it_takes() {
        let (conn, _, _folder) = open();
        for sql in [MAKE_READY, FIRST_READY, HAND_OUT, NEXT_DUE] {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explain.raw_query().mapped(|row| row.get::<_, String>(3));
            let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
            let in_order = ["SEARCH queue USING INDEX queue_order", "SEARCH queue USING COVERING INDEX queue_order"];
            assert!(plan.iter().any(|step| in_order.iter().any(|by| step.starts_with(by))), "{plan:?}");
            assert!(!plan.iter().any(|step| step.contains("SCAN") || step.contains("TEMP")), "{sql}: {plan:?}");
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_refused() {
        assert!(read_notification("{}").is_err());
        assert!(read_notification(r#"{"v":9,"id":"#).is_err());
    }
}
