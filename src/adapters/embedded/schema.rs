//! The SQLite file: how it is opened, and its schema with the migrations that lead there.

use super::open_error::OpenError;
use super::row_counts::{self, RowCounts};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The versions of the schema, each with the SQL that makes it of the version before. `user_version` in the file says
/// which one it has.
const MIGRATIONS: [(u32, &str); 15] = [
    (1, include_str!("schema/001.sql")),
    (2, include_str!("schema/002.sql")),
    (3, include_str!("schema/003.sql")),
    (4, include_str!("schema/004.sql")),
    (5, include_str!("schema/005.sql")),
    (6, include_str!("schema/006.sql")),
    (7, include_str!("schema/007.sql")),
    (8, include_str!("schema/008.sql")),
    (9, include_str!("schema/009.sql")),
    (10, include_str!("schema/010.sql")),
    (11, include_str!("schema/011.sql")),
    (12, include_str!("schema/012.sql")),
    (13, include_str!("schema/013.sql")),
    (14, include_str!("schema/014.sql")),
    (15, include_str!("schema/015.sql")),
];

/// How long the writer may wait for a reader when it truncates the write-ahead log, and a reader for a recovery.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Prepared statements that a connection keeps. There are fewer distinct ones, so all of them stay prepared.
const MAX_CACHED_STATEMENTS: usize = 96;
/// Page cache of the connection that writes, in KiB.
const WRITER_CACHE_KIB: i64 = 4 * 1024;
/// Page cache of each connection that reads, in KiB.
const READER_CACHE_KIB: i64 = 1024;
/// Size of a page in a new file; one that is there keeps its own. A commit writes each page whole of which it changes a row,
/// and a notification is a row of some hundred bytes in a dozen tables and indexes.
const PAGE_BYTES: u32 = 1024;
/// After how many bytes in the write-ahead log SQLite moves them into the file by itself (a checkpoint), where no
/// [`Checkpoints`](super::checkpoints::Checkpoints) do.
const AUTO_CHECKPOINT_BYTES: u32 = 16 * 1024 * 1024;

/// Opens the one connection that writes, and creates the file if it is missing. Nothing is written to one that is there
/// before [`prepare_writer`], not even at the end, when SQLite would move the write-ahead log into it.
pub fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    configure(&conn, WRITER_CACHE_KIB)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(conn)
}

/// The version of the schema in the file.
///
/// # Errors
/// It is newer than this program, or the file cannot be read.
pub fn version(conn: &Connection) -> Result<u32, OpenError> {
    let (found, known) =
        (conn.pragma_query_value(None, "user_version", |row| row.get(0))?, MIGRATIONS[MIGRATIONS.len() - 1].0);
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(found) }
}

/// Puts the file into write-ahead log mode, migrates an older schema, and counts the rows.
///
/// # Errors
/// The schema is newer than this program, or SQLite cannot use the file.
pub fn prepare_writer(conn: &mut Connection) -> Result<Arc<RowCounts>, OpenError> {
    let found = version(conn)?;
    // Only possible while the file is empty: swept blobs give their disk space back step by step. To say it again would be
    // a write, for which a full disk has no room.
    if found == 0 {
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    let page_bytes: u32 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    conn.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT_BYTES / page_bytes)?;
    for (version, sql) in MIGRATIONS.into_iter().filter(|(version, _)| *version > found) {
        let migration = conn.transaction()?;
        migration.execute_batch(sql)?;
        migration.pragma_update(None, "user_version", version)?;
        migration.commit()?;
    }
    // What a job of the writer can be undone by is kept in memory, and not in a file that is written with each. After the
    // migrations, whose indexes are sorted in files.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    let open = row_counts::track(conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(open)
}

/// Opens a connection that only reads.
pub fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&conn, READER_CACHE_KIB)?;
    Ok(conn)
}

/// Opens a connection that only moves the write-ahead log into the file, and waits for nobody.
pub fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn configure(conn: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(MAX_CACHED_STATEMENTS);
    // Else a statement is compiled anew whenever its LIMIT is bound.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "mmap_size", 0)
}

#[cfg(test)]
mod tests {
    use super::super::columns::{id_bytes, to_json};
    use super::super::ownership_table::OwnershipTable;
    use super::super::{claim, record_rows};
    use super::*;
    use crate::domain::{BotName, Lane, Notification, Record, RecordUpdate, Status, Timestamp};
    use rusqlite::params;
    use serde_json::json;

    fn notification(id: &str, params: serde_json::Value) -> Notification {
        let call = json!({"method": "sendMessage", "params": params, "media": []});
        let written = json!({
            "v": 1, "id": id, "bot": "default", "chat_id": -4_503_599_627_370_495_i64, "lane": "normal",
            "delivery": "at_least_once", "call": call, "accepted_at": "2026-01-01T00:00:00.123Z",
            "expires_at": "2099-01-02T00:00:00Z", "tags": ["\u{1f}\u{0}"], "attempts": 0,
        });
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn a_new_file_has_small_pages_and_one_that_is_there_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let made_before = folder.path().join("before.db");
        let large = "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; CREATE TABLE t (x); DROP TABLE t";
        open_writer(&made_before).unwrap().execute_batch(large).unwrap();
        for (path, page_bytes) in [(folder.path().join("new.db"), PAGE_BYTES), (made_before, 4096)] {
            let mut conn = open_writer(&path).unwrap();
            prepare_writer(&mut conn).unwrap();
            let of = |pragma| conn.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0)).unwrap();
            assert_eq!(of("page_size"), page_bytes);
            assert_eq!(of("wal_autocheckpoint") * page_bytes, AUTO_CHECKPOINT_BYTES, "the same in bytes");
            assert_eq!(of("temp_store"), 2, "memory");
        }
    }

    /// A new file as a version with this schema makes it.
    fn made_by(folder: &Path, last: u32) -> Connection {
        let conn = open_writer(&folder.join("queue.db")).unwrap();
        for (version, sql) in MIGRATIONS.into_iter().filter(|(version, _)| *version <= last) {
            conn.execute_batch(sql).unwrap();
            conn.pragma_update(None, "user_version", version).unwrap();
        }
        conn
    }

    /// What version 7 has left: whole records, and whole notifications in the queue.
    #[test]
    fn what_an_older_version_has_left_is_read_and_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = made_by(folder.path(), 7);
        let odd =
            json!({"z": "\u{0}\u{2028}\"\\'; --", "a": [u64::MAX, i64::MIN, 0.1, 1.5e300, null, {"b": {}}], "": ""});
        let waiting = notification("01a228f1-405f-7114-8a5b-d2bd8ff1299a", odd.clone());
        let mut sent = Record::accepted(notification("01a228f1-405f-7114-8a5b-d2bd8ff1299b", odd));
        let result = Some(json!({"message_id": 7, "text": null}));
        sent.apply(RecordUpdate { message_id: Some(7), result, ..RecordUpdate::of(Status::Sent, Timestamp::now()) });
        for record in [&Record::accepted(waiting.clone()), &sent] {
            let sql = "INSERT INTO records (id, bot, status, body, expires_at) VALUES (?1, 'default', ?2, ?3, 0)";
            let values = params![id_bytes(record.notification.id), record.status.as_str(), to_json(record)];
            conn.execute(sql, values).unwrap();
        }
        conn.execute_batch(
            "INSERT INTO records (id, bot, status, body, expires_at) VALUES (x'07', 'b', 'sent', '{', 0)",
        )
        .unwrap();
        let sql = "INSERT INTO queue (id, bot, lane, state, due, body) VALUES (?1, 'default', 1, 0, 0, ?2)";
        conn.execute(sql, params![id_bytes(waiting.id), to_json(&waiting)]).unwrap();

        let owners = OwnershipTable::new(prepare_writer(&mut conn).unwrap());
        assert_eq!(record_rows::load(&conn, sent.notification.id).unwrap(), Some(sent));
        assert_eq!(record_rows::load(&conn, waiting.id).unwrap(), Some(Record::accepted(waiting.clone())));
        let batch = claim::claim_batch(&conn, &owners, &BotName::default_bot(), 1, 10, Timestamp::now()).unwrap();
        assert_eq!(batch.deliveries.into_iter().map(|delivery| delivery.notification).collect::<Vec<_>>(), [waiting]);
        conn.execute_batch("DELETE FROM records").unwrap();
        let bodies: i64 = conn.query_row("SELECT count(*) FROM bodies", [], |row| row.get(0)).unwrap();
        assert_eq!(bodies, 0, "a body goes with its record");
    }

    /// What version 14 has left, whose records have no lane.
    #[test]
    fn what_an_older_version_has_left_counts_in_its_lane() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = made_by(folder.path(), 14);
        let rows = [
            ("queued", None, r#"{"v":1,"lane":"urgent"}"#),
            ("scheduled", None, r#"{"v":1,"lane":"bulk"}"#),
            ("queued", None, r#"{"v":1,"lane":"normal"}"#),
            ("queued", None, "{"),
            ("sent", Some(1), r#"{"v":1,"lane":"bulk"}"#),
        ];
        for (number, (status, finished_at, body)) in rows.into_iter().enumerate() {
            let sql = "INSERT INTO records (number, id, bot, status, finished_at, body, expires_at)
                VALUES (?1, CAST(?1 AS BLOB), 'default', ?2, ?3, '{}', 0)";
            conn.execute(sql, params![number as i64, status, finished_at]).unwrap();
            conn.execute("INSERT INTO bodies VALUES (?1, ?2)", params![number as i64, body]).unwrap();
        }
        let open = prepare_writer(&mut conn).unwrap().open_of(&[BotName::default_bot()])[0];
        let counted =
            Lane::ALL.map(|lane| [Status::Queued, Status::Scheduled].map(|status| open.lane(lane).get(status)));
        assert_eq!(counted, [[1, 0], [2, 0], [0, 1]]);
    }
}
