//! Commits of SQLite that wait for the disk, as the embedded engine sets it up.

use rusqlite::{Connection, params};
use std::path::Path;
use std::time::Instant;

/// How large a row is, in bytes: about as a notification with a text.
const ROW_BYTES: usize = 600;

/// A table with rows of [`ROW_BYTES`], found by ids of 16 bytes.
pub struct Commits {
    database: Connection,
    rows: u128,
}

impl Commits {
    /// An empty one, in a folder.
    pub fn open(folder: &Path) -> rusqlite::Result<Self> {
        let database = Connection::open(folder.join("commits.db"))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.execute_batch("CREATE TABLE notifications (id BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID")?;
        Ok(Self { database, rows: 0 })
    }

    /// Adds so many rows in one transaction.
    pub fn commit(&mut self, rows: usize) -> rusqlite::Result<()> {
        let body = "x".repeat(ROW_BYTES);
        let transaction = self.database.transaction()?;
        for _ in 0..rows {
            self.rows += 1;
            let mut insert = transaction.prepare_cached("INSERT INTO notifications (id, body) VALUES (?1, ?2)")?;
            insert.execute(params![self.rows.to_be_bytes(), body])?;
        }
        transaction.commit()
    }

    /// How many rows a second, with so many in a transaction.
    pub async fn rate(mut self, rows: usize, transactions: usize) -> anyhow::Result<Vec<f64>> {
        let committing = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            (0..transactions).try_for_each(|_| self.commit(rows)).map(|()| began.elapsed())
        });
        Ok(vec![(rows * transactions) as f64 / committing.await??.as_secs_f64()])
    }
}
