//! The file: how it is opened and what is in it.

use super::OpenError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// The versions of the layout and what makes each of the one before; the file's `user_version` says which it has.
const STEPS: [(u32, &str); 2] = [(1, include_str!("schema/001.sql")), (2, include_str!("schema/002.sql"))];

/// How long the writer may wait for a reader when it truncates the log, and a reader for a recovery.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Distinct statements are few; all of them stay prepared.
const STATEMENTS: usize = 64;

/// The one connection that writes. Creates the file, brings an older layout up to date, refuses a newer one.
pub fn writer(path: &Path) -> Result<Connection, OpenError> {
    let mut conn = Connection::open(path)?;
    prepare(&conn, 4 * 1024)?;
    // Only possible while the file is empty: swept blobs give their disk space back step by step.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 2_000)?;
    let found: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = STEPS[STEPS.len() - 1].0;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (version, step) in STEPS.into_iter().filter(|(version, _)| *version > found) {
        let migration = conn.transaction()?;
        migration.execute_batch(step)?;
        migration.pragma_update(None, "user_version", version)?;
        migration.commit()?;
    }
    Ok(conn)
}

/// A connection that reads.
pub fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&conn, 1024)?;
    Ok(conn)
}

fn prepare(conn: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.pragma_update(None, "mmap_size", 0)
}
