//! Looks whether a database is damaged: in full, or for a few seconds what matters most.

use super::data_folder;
use super::open_error::OpenError;
use rusqlite::{Connection, ErrorCode};
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often a check whose time is over is told so: between two of its statements it does not hear it.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);
/// What the file begins with (SQLite's file format).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where the header says whether the file is written by way of a write-ahead log (2) or not (1).
const WRITE_VERSION_OFFSET: usize = 18;

/// Refuses a file beside which lies a write-ahead log that cannot be its own: a copy without a log, as backups are, that
/// was put in the place of a live file. SQLite would write the pages of the old log into it. To be asked before SQLite
/// opens the file.
///
/// # Errors
/// [`OpenError::Damaged`].
pub fn refuse_foreign_log(database: &Path) -> Result<(), OpenError> {
    let Some(log) = data_folder::write_ahead_log(database) else { return Ok(()) };
    let mut header = [0; WRITE_VERSION_OFFSET + 1];
    // A file that is missing or shorter is nothing that a log could spoil, and SQLite judges it.
    let read = std::fs::File::open(database).and_then(|mut file| file.read_exact(&mut header));
    if read.is_ok() && header.starts_with(MAGIC) && header[WRITE_VERSION_OFFSET] == 1 {
        let log = log.file_name().unwrap_or_default().display().to_string();
        return Err(OpenError::Damaged(format!("{log} belongs to another file than the one it lies beside")));
    }
    Ok(())
}

/// Checks everything.
///
/// # Errors
/// [`OpenError::Damaged`] with the first fault, or the file cannot be read.
pub fn check_all(conn: &Connection) -> Result<(), OpenError> {
    examine(conn, "integrity_check(1)")
}

/// Checks queue and records with their indexes, then the structure of everything, and stops when the time is over.
///
/// # Errors
/// [`OpenError::Damaged`] with the first fault, or the file cannot be read.
pub fn check_for(conn: &Connection, limit: Duration) -> Result<(), OpenError> {
    let interrupt = conn.get_interrupt_handle();
    let (running, ended) = mpsc::channel::<()>();
    let timer = std::thread::spawn(move || {
        let mut pause = limit;
        while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            interrupt.interrupt();
            pause = INTERRUPT_INTERVAL;
        }
    });
    let checked = check_by_importance(conn);
    drop(running);
    // It only waits and interrupts.
    let _ = timer.join();
    match checked {
        Err(OpenError::Database(error)) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(seconds = limit.as_secs(), "the database is large: it was checked in part");
            Ok(())
        }
        checked => checked,
    }
}

fn check_by_importance(conn: &Connection) -> Result<(), OpenError> {
    // Missing in a file that is new.
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('queue', 'records') ORDER BY name";
    let tables: Vec<String> = conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for table in tables {
        examine(conn, &format!("integrity_check({table})"))?;
    }
    examine(conn, "quick_check(1)")
}

fn examine(conn: &Connection, pragma: &str) -> Result<(), OpenError> {
    let found: String = conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(OpenError::Damaged(found.replace('\n', " "))) }
}
