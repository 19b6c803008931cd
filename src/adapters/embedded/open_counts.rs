//! How many records of each bot are open, by status: in memory, changed by the statements that change a status, and kept or undone
//! with the writer's transactions. So no question counts rows, and the disk has nothing to do with it.

use crate::domain::{BotName, Status};
use crate::ports::OpenCounts;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of the one connection that writes. Its SQL has the function `moved(bot, from, to)`, which notes that a record has gone from
/// one status to another, each NULL where there is none, and returns the latter. Triggers would do without, but with one on its
/// table SQLite keeps a journal for each statement, which took a quarter of the writer's time.
#[derive(Default)]
pub struct OpenTally(Mutex<Tally>);

#[derive(Default)]
struct Tally {
    /// The place of each bot in `counts`.
    places: HashMap<Box<str>, usize>,
    counts: Vec<[i64; Status::OPEN.len()]>,
    /// What the present transaction has changed: whose count, of which status, and by how much.
    changes: Vec<(usize, usize, i64)>,
}

/// Counts what is open once, along an index, and from then on follows every change.
pub fn track(conn: &Connection) -> rusqlite::Result<Arc<OpenTally>> {
    let tally = Arc::new(OpenTally::default());
    let open = Status::OPEN.map(|status| format!("'{}'", status.as_str())).join(", ");
    let sql = format!("SELECT bot, status, count(*) FROM records WHERE status IN ({open}) GROUP BY status, bot");
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        tally.locked().change(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, row.get(2)?);
    }
    tally.keep();
    let noting = tally.clone();
    conn.create_scalar_function(
        "moved",
        3,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY,
        move |call| {
            let (bot, mut tally) = (call.get_raw(0).as_str()?, noting.locked());
            for (place, by) in [(1, -1), (2, 1)] {
                if let Some(status) = call.get_raw(place).as_str_or_null()? {
                    tally.change(bot, status, by);
                }
            }
            call.get::<Option<String>>(2)
        },
    )?;
    Ok(tally)
}

impl OpenTally {
    /// How many changes the present transaction has made so far, for [`OpenTally::undo_to`].
    pub fn changes(&self) -> usize {
        self.locked().changes.len()
    }

    /// Undoes all but the first so many changes of the present transaction.
    pub fn undo_to(&self, changes: usize) {
        self.locked().changes.truncate(changes);
    }

    /// The transaction is committed.
    pub fn keep(&self) {
        let mut tally = self.locked();
        let Tally { counts, changes, .. } = &mut *tally;
        changes.drain(..).for_each(|(bot, status, by)| counts[bot][status] += by);
    }

    /// The counts of these bots, as they are committed.
    pub fn of(&self, bots: &[BotName]) -> Vec<OpenCounts> {
        let tally = self.locked();
        let of_bot = |bot: &BotName| {
            let mut counts = OpenCounts::default();
            if let Some(place) = tally.places.get(bot.as_str()) {
                let counted = Status::OPEN.into_iter().zip(tally.counts[*place]);
                counted.for_each(|(status, records)| counts.set(status, records.max(0).unsigned_abs()));
            }
            counts
        };
        bots.iter().map(of_bot).collect()
    }

    fn locked(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// Notes a change; a status that is final counts nowhere.
    fn change(&mut self, bot: &str, status: &str, by: i64) {
        let Some(status) = Status::OPEN.iter().position(|open| open.as_str() == status) else { return };
        let place = match self.places.get(bot) {
            Some(place) => *place,
            None => {
                self.counts.push(<[i64; Status::OPEN.len()]>::default());
                self.places.insert(bot.into(), self.counts.len() - 1);
                self.counts.len() - 1
            }
        };
        self.changes.push((place, status, by));
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::id_bytes;
    use super::super::{record_rows, schema};
    use super::*;
    use crate::domain::{Record, RecordUpdate, Timestamp};
    use serde_json::json;

    fn record(id: u8, bot: &str) -> Record {
        let call = json!({"method": "sendMessage", "params": {}, "media": []});
        let written = json!({
            "v": 1, "id": format!("01a228f1-405f-7114-8a5b-d2bd8ff129{id:02x}"), "bot": bot, "chat_id": 7, "lane": "normal",
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
        let counts =
            |tally: &OpenTally| tally.of(&bots).into_iter().map(|it| it.get(Status::Queued)).collect::<Vec<_>>();
        let mut conn = schema::open_writer(&path).unwrap();
        let tally = schema::prepare_writer(&mut conn).unwrap();
        for (id, bot) in [(1, "one"), (2, "one"), (3, "two")] {
            record_rows::save(&conn, &record(id, bot), "{}").unwrap();
        }
        let mut sent = record(1, "one");
        sent.apply(RecordUpdate::of(Status::Sent, Timestamp::now()));
        record_rows::save_change(&conn, &sent).unwrap();
        assert_eq!(counts(&tally), [0, 0], "not committed");
        tally.keep();
        assert_eq!(counts(&tally), [1, 1]);
        // Written once more it counts once, and where it is then.
        record_rows::save(&conn, &record(2, "two"), "{}").unwrap();
        let mark = tally.changes();
        record_rows::save(&conn, &record(4, "two"), "{}").unwrap();
        tally.undo_to(mark);
        tally.keep();
        assert_eq!(counts(&tally), [0, 2]);
        conn.execute("DELETE FROM records WHERE id = ?1", [id_bytes(record(4, "two").notification.id)]).unwrap();
        drop(conn);
        let mut conn = schema::open_writer(&path).unwrap();
        assert_eq!(counts(&schema::prepare_writer(&mut conn).unwrap()), [0, 2], "counted anew");
    }
}
