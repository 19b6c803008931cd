//! How many records of each bot are open, by status. Kept by triggers in tables of the writer's connection that are in memory: they
//! change and are undone with its transactions, cost the disk nothing, and no question counts rows.

use super::store_error::StoreError;
use crate::domain::{BotName, Status};
use crate::ports::OpenCounts;
use rusqlite::{Connection, params};

/// Counts what is open once, along an index, and from then on follows every change.
pub fn track(conn: &Connection) -> rusqlite::Result<()> {
    let open = Status::OPEN.map(|status| format!("'{}'", status.as_str())).join(", ");
    conn.execute_batch(&format!(
        "CREATE TEMP TABLE open_counts (
            bot TEXT NOT NULL, status TEXT NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (bot, status)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO open_counts SELECT bot, status, count(*) FROM records WHERE status IN ({open}) GROUP BY status, bot;
        CREATE TEMP TRIGGER open_counts_inserted AFTER INSERT ON main.records WHEN new.status IN ({open}) BEGIN
            INSERT INTO open_counts VALUES (new.bot, new.status, 1)
                ON CONFLICT (bot, status) DO UPDATE SET records = records + 1;
        END;
        CREATE TEMP TRIGGER open_counts_left AFTER UPDATE OF status ON main.records
            WHEN old.status <> new.status AND old.status IN ({open}) BEGIN
            UPDATE open_counts SET records = records - 1 WHERE bot = old.bot AND status = old.status;
        END;
        CREATE TEMP TRIGGER open_counts_entered AFTER UPDATE OF status ON main.records
            WHEN old.status <> new.status AND new.status IN ({open}) BEGIN
            INSERT INTO open_counts VALUES (new.bot, new.status, 1)
                ON CONFLICT (bot, status) DO UPDATE SET records = records + 1;
        END;
        CREATE TEMP TRIGGER open_counts_deleted AFTER DELETE ON main.records WHEN old.status IN ({open}) BEGIN
            UPDATE open_counts SET records = records - 1 WHERE bot = old.bot AND status = old.status;
        END;"
    ))
}

/// The counts of these bots, on the connection that [`track`]s them.
pub fn of(conn: &Connection, bots: &[BotName]) -> Result<Vec<OpenCounts>, StoreError> {
    let mut select = conn.prepare_cached("SELECT records FROM open_counts WHERE bot = ?1 AND status = ?2")?;
    let mut all = Vec::with_capacity(bots.len());
    for bot in bots {
        let mut counts = OpenCounts::default();
        for status in Status::OPEN {
            let mut rows = select.query(params![bot.as_str(), status.as_str()])?;
            let records = rows.next()?.map_or(Ok(0), |row| row.get::<_, i64>(0))?;
            counts.set(status, records.unsigned_abs());
        }
        all.push(counts);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
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
        let counts = |conn: &Connection| {
            of(conn, &bots).unwrap().into_iter().map(|it| it.get(Status::Queued)).collect::<Vec<_>>()
        };
        let mut conn = schema::open_writer(&path).unwrap();
        schema::prepare_writer(&mut conn).unwrap();
        for (id, bot) in [(1, "one"), (2, "one"), (3, "two")] {
            record_rows::save(&conn, &record(id, bot), "{}").unwrap();
        }
        let mut sent = record(1, "one");
        sent.apply(RecordUpdate::of(Status::Sent, Timestamp::now()));
        record_rows::save_change(&conn, &sent).unwrap();
        let undone = conn.transaction().unwrap();
        record_rows::save(&undone, &record(4, "two"), "{}").unwrap();
        assert_eq!(counts(&undone), [1, 2]);
        undone.rollback().unwrap();
        assert_eq!(counts(&conn), [1, 1]);
        drop(conn);
        let mut conn = schema::open_writer(&path).unwrap();
        schema::prepare_writer(&mut conn).unwrap();
        assert_eq!(counts(&conn), [1, 1], "counted anew");
        conn.execute("DELETE FROM records", []).unwrap();
        assert_eq!(counts(&conn), [0, 0]);
    }
}
