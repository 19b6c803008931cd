//! How many records of each bot are open, by lane and status, and how many rows of its queue are ready and unacked, by lane: in memory,
//! changed by the statements that change a row, and kept or undone with the writer's transactions. So no question counts rows, and the
//! disk has nothing to do with it.

use super::queue_rows::{LaneCounts, READY, UNACKED};
use crate::domain::{BotName, Lane, Status};
use crate::ports::OpenByLane;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of the one connection that writes. Its SQL has two functions that note that a row has gone from one state to another,
/// each NULL where there is none, and return the latter: `moved(bot, lane, from, to)` for the status of a record, and
/// `queued(bot, lane, from, to)` for the state of a row of the queue. Triggers would do without, but with one on its table SQLite keeps
/// a journal for each statement, which took a quarter of the writer's time.
#[derive(Default)]
pub struct RowCounts(Mutex<Tally>);

/// The counts of one bot: first of each lane its records that are open, by status, then of each lane what is ready and what is unacked.
type BotCounts = [i64; OPEN + 2 * Lane::ALL.len()];
const OPEN: usize = Status::OPEN.len() * Lane::ALL.len();

#[derive(Default)]
struct Tally {
    /// The place of each bot in the counts.
    places: HashMap<Box<str>, usize>,
    /// As the present transaction has them, and as they are committed.
    counts: Vec<BotCounts>,
    committed: Vec<BotCounts>,
    /// What the present transaction has changed: whose counts, which of them, and by how much.
    changes: Vec<(usize, usize, i64)>,
}

/// All rows of the queue.
const QUEUE_ROWS: &str = "SELECT bot, lane, state FROM queue";

/// All records that are open.
fn open_records() -> String {
    let open = Status::OPEN.map(|status| format!("'{}'", status.as_str())).join(", ");
    format!("SELECT bot, lane, status FROM records WHERE status IN ({open})")
}

/// Counts all rows once, along indexes, and from then on follows every change. They are not counted by SQLite, which would sort them in
/// memory first.
pub fn track(conn: &Connection) -> rusqlite::Result<Arc<RowCounts>> {
    let counts = Arc::new(RowCounts::default());
    let mut select = conn.prepare(&open_records())?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        counts.locked().count(row.get_ref(0)?.as_str()?, of_status(row.get(1)?, row.get_ref(2)?.as_str()?));
    }
    let mut select = conn.prepare(QUEUE_ROWS)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        counts.locked().count(row.get_ref(0)?.as_str()?, of_state(row.get(1)?, row.get(2)?));
    }
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let noting = counts.clone();
    conn.create_scalar_function("moved", 4, flags, move |call| {
        let lane = call.get(1)?;
        let status = |place| {
            call.get_raw(place).as_str_or_null().map(|status| status.and_then(|status| of_status(lane, status)))
        };
        noting.note(call, status(2)?, status(3)?)?;
        call.get::<Option<String>>(3)
    })?;
    let noting = counts.clone();
    conn.create_scalar_function("queued", 4, flags, move |call| {
        let lane = call.get(1)?;
        let state = |place| call.get::<Option<i64>>(place).map(|state| state.and_then(|state| of_state(lane, state)));
        noting.note(call, state(2)?, state(3)?)?;
        call.get::<Option<i64>>(3)
    })?;
    Ok(counts)
}

/// Which count a record belongs to; one that is final belongs to none.
fn of_status(lane: i64, status: &str) -> Option<usize> {
    let of_lane = Status::OPEN.iter().position(|open| open.as_str() == status)?;
    Some(Status::OPEN.len() * place_of(lane)? + of_lane)
}

/// Which count a row of the queue belongs to; what is scheduled or set aside belongs to none.
fn of_state(lane: i64, state: i64) -> Option<usize> {
    let of_lane = [READY, UNACKED].iter().position(|counted| *counted == state)?;
    Some(OPEN + 2 * place_of(lane)? + of_lane)
}

/// The place of a lane, by its number in the file.
fn place_of(lane: i64) -> Option<usize> {
    usize::try_from(lane).ok().filter(|lane| *lane < Lane::ALL.len())
}

impl RowCounts {
    /// How many changes the present transaction has made so far, for [`RowCounts::undo_to`].
    pub fn changes(&self) -> usize {
        self.locked().changes.len()
    }

    /// Undoes all but the first so many changes of the present transaction.
    pub fn undo_to(&self, changes: usize) {
        let mut tally = self.locked();
        let Tally { counts, changes: made, .. } = &mut *tally;
        made.drain(changes.min(made.len())..).for_each(|(bot, count, by)| counts[bot][count] -= by);
    }

    /// The transaction is committed.
    pub fn keep(&self) {
        let mut tally = self.locked();
        let Tally { committed, changes, .. } = &mut *tally;
        changes.drain(..).for_each(|(bot, count, by)| committed[bot][count] += by);
    }

    /// How many records of these bots are open, as committed.
    pub fn open_of(&self, bots: &[BotName]) -> Vec<OpenByLane> {
        let tally = self.locked();
        let of_bot = |bot: &BotName| {
            let (mut open, counts) = (OpenByLane::default(), tally.of(bot, &tally.committed));
            for (lane, counted) in Lane::ALL.into_iter().zip(counts.chunks(Status::OPEN.len())) {
                let of_lane = Status::OPEN.into_iter().zip(counted);
                of_lane.for_each(|(status, records)| open.set(lane, status, positive(*records)));
            }
            open
        };
        bots.iter().map(of_bot).collect()
    }

    /// How many rows of a bot's lanes there are, as committed.
    pub fn lanes_of(&self, bot: &BotName) -> [LaneCounts; Lane::ALL.len()] {
        let tally = self.locked();
        lanes(tally.of(bot, &tally.committed))
    }

    /// The same as the present transaction has them; for the writer.
    pub fn present_lanes_of(&self, bot: &BotName) -> [LaneCounts; Lane::ALL.len()] {
        let tally = self.locked();
        lanes(tally.of(bot, &tally.counts))
    }

    fn note(&self, call: &Context<'_>, from: Option<usize>, to: Option<usize>) -> rusqlite::Result<()> {
        let (bot, mut tally) = (call.get_raw(0).as_str()?, self.locked());
        tally.change(bot, from, -1);
        tally.change(bot, to, 1);
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// Counts a row that is in the file; not at all if it belongs to no count.
    fn count(&mut self, bot: &str, count: Option<usize>) {
        let Some(count) = count else { return };
        let place = self.place(bot);
        self.counts[place][count] += 1;
        self.committed[place][count] += 1;
    }

    /// Changes a count of a bot; nothing if it belongs to none.
    fn change(&mut self, bot: &str, count: Option<usize>, by: i64) {
        let Some(count) = count else { return };
        let place = self.place(bot);
        self.counts[place][count] += by;
        self.changes.push((place, count, by));
    }

    fn place(&mut self, bot: &str) -> usize {
        self.places.get(bot).copied().unwrap_or_else(|| {
            self.counts.push(BotCounts::default());
            self.committed.push(BotCounts::default());
            self.places.insert(bot.into(), self.counts.len() - 1);
            self.counts.len() - 1
        })
    }

    fn of(&self, bot: &BotName, counts: &[BotCounts]) -> BotCounts {
        self.places.get(bot.as_str()).map(|place| counts[*place]).unwrap_or_default()
    }
}

fn lanes(counts: BotCounts) -> [LaneCounts; Lane::ALL.len()] {
    let of_lane =
        |lane| LaneCounts { ready: positive(counts[OPEN + 2 * lane]), unacked: positive(counts[OPEN + 2 * lane + 1]) };
    std::array::from_fn(of_lane)
}

fn positive(count: i64) -> u64 {
    count.max(0).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::super::columns::id_bytes;
    use super::super::{record_rows, schema};
    use super::*;
    use crate::domain::{Record, RecordUpdate, Timestamp};
    use serde_json::json;

    fn record(id: u8, bot: &str, lane: Lane) -> Record {
        let call = json!({"method": "sendMessage", "params": {}, "media": []});
        let written = json!({
            "v": 1, "id": format!("01a228f1-405f-7114-8a5b-d2bd8ff129{id:02x}"), "bot": bot, "chat_id": 7, "lane": lane,
            "delivery": "at_least_once", "call": call, "accepted_at": "2026-01-01T00:00:00.123Z",
            "expires_at": "2099-01-02T00:00:00Z", "tags": [], "attempts": 0,
        });
        Record::accepted(serde_json::from_value(written).unwrap())
    }

    #[test]
    fn what_a_file_has_at_its_opening_is_counted_and_what_is_undone_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let bots = ["one", "two"].map(|name| name.parse::<BotName>().unwrap());
        // Of the first, then of the second bot, by lane.
        let counts = |tally: &RowCounts| -> Vec<u64> {
            let of_bot = |open: OpenByLane| Lane::ALL.map(|lane| open.lane(lane).get(Status::Queued));
            tally.open_of(&bots).into_iter().flat_map(of_bot).collect()
        };
        let (urgent, normal, bulk) = (Lane::Urgent, Lane::Normal, Lane::Bulk);
        let mut conn = schema::open_writer(&path).unwrap();
        let tally = schema::prepare_writer(&mut conn).unwrap();
        for (id, bot, lane) in [(1, "one", normal), (2, "one", bulk), (3, "two", urgent)] {
            record_rows::save(&conn, &record(id, bot, lane), "{}").unwrap();
        }
        let mut sent = record(1, "one", normal);
        sent.apply(RecordUpdate::of(Status::Sent, Timestamp::now()));
        record_rows::save_change(&conn, &sent).unwrap();
        assert_eq!(counts(&tally), [0; 6], "not committed");
        tally.keep();
        assert_eq!(counts(&tally), [0, 0, 1, 1, 0, 0]);
        // Written once more it counts once, and where it is then.
        record_rows::save(&conn, &record(2, "two", normal), "{}").unwrap();
        let mark = tally.changes();
        record_rows::save(&conn, &record(4, "two", bulk), "{}").unwrap();
        tally.undo_to(mark);
        tally.keep();
        assert_eq!(counts(&tally), [0, 0, 0, 1, 1, 0]);
        conn.execute("DELETE FROM records WHERE id = ?1", [id_bytes(record(4, "two", bulk).notification.id)]).unwrap();
        drop(conn);
        let mut conn = schema::open_writer(&path).unwrap();
        assert_eq!(counts(&schema::prepare_writer(&mut conn).unwrap()), [0, 0, 0, 1, 1, 0], "counted anew");
    }

    #[test]
    fn rows_are_counted_along_an_index_and_kept_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = schema::open_writer(&folder.path().join("queue.db")).unwrap();
        schema::prepare_writer(&mut conn).unwrap();
        for sql in [QUEUE_ROWS, &open_records()] {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explain.query_map([], |row| row.get::<_, String>(3)).unwrap();
            let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
            assert!(plan.iter().all(|step| step.contains("COVERING INDEX")), "{plan:?}");
        }
    }
}
