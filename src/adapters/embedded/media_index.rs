//! The upload-once index: rows of file_ids, and of the pins that keep blobs from being swept.

use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{Sha256, Timestamp};
use crate::ports::{FileKey, LedgerError, MediaIndex};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// [`MediaIndex`] in the file.
pub struct EmbeddedMediaIndex {
    store: Arc<SqliteStore>,
}

impl EmbeddedMediaIndex {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl MediaIndex for EmbeddedMediaIndex {
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError> {
        let key = *key;
        Ok(self.store.read(move |conn| find(conn, &key)).await?)
    }

    async fn keep(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        let (key, file_id) = (*key, file_id.to_owned());
        // A lost file_id costs an upload, not a delivery: not worth a wait for the disk.
        Ok(self.store.write(Durability::Process, move |conn| keep(conn, &key, &file_id)).await?)
    }

    async fn evict(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        let (key, file_id) = (*key, file_id.to_owned());
        let evict = move |conn: &Connection| {
            let sql = "DELETE FROM file_ids WHERE bot_id = ?1 AND kind = ?2 AND sha256 = ?3 AND file_id = ?4";
            let values = params![bot_column(&key), key.kind.as_str(), key.sha256.as_bytes(), file_id];
            conn.prepare_cached(sql)?.execute(values)?;
            Ok(())
        };
        Ok(self.store.write(Durability::Process, evict).await?)
    }

    async fn pin(&self, sha256: &Sha256, until: Timestamp) -> Result<(), LedgerError> {
        let sha256 = *sha256;
        Ok(self.store.write(Durability::Disk, move |conn| pin(conn, &sha256, until)).await?)
    }

    async fn is_pinned(&self, sha256: &Sha256, at: Timestamp) -> Result<bool, LedgerError> {
        let sha256 = *sha256;
        let find = move |conn: &Connection| {
            let sql = "SELECT 1 FROM pins WHERE sha256 = ?1 AND until >= ?2";
            Ok(conn.prepare_cached(sql)?.exists(params![sha256.as_bytes(), at.unix_millis()])?)
        };
        Ok(self.store.read(find).await?)
    }
}

/// The file_id, if there is one.
pub fn find(conn: &Connection, key: &FileKey) -> Result<Option<String>, StoreError> {
    let sql = "SELECT file_id FROM file_ids WHERE bot_id = ?1 AND kind = ?2 AND sha256 = ?3";
    let values = params![bot_column(key), key.kind.as_str(), key.sha256.as_bytes()];
    Ok(conn.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?)
}

/// Keeps a file_id in place of any earlier one.
pub fn keep(conn: &Connection, key: &FileKey, file_id: &str) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO file_ids (bot_id, kind, sha256, file_id, kept_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let now = Timestamp::now().unix_millis();
    let values = params![bot_column(key), key.kind.as_str(), key.sha256.as_bytes(), file_id, now];
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Pins a blob until the given moment; never shortens an earlier pin.
pub fn pin(conn: &Connection, sha256: &Sha256, until: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO pins (sha256, until) VALUES (?1, ?2)
        ON CONFLICT (sha256) DO UPDATE SET until = max(until, excluded.until)";
    conn.prepare_cached(sql)?.execute(params![sha256.as_bytes(), until.unix_millis()])?;
    Ok(())
}

/// A bot's number as a column holds it; the Bot API's user ids have 52 bits.
fn bot_column(key: &FileKey) -> i64 {
    key.bot_id.cast_signed()
}
