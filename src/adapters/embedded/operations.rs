//! The operations port over the rows of the file.

use super::columns::{from_json, id_bytes, to_json};
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{NotificationId, Operation, OperationId, Timestamp};
use crate::ports::{Created, Idempotency, LedgerError, Operations};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;
use std::time::Duration;

/// [`Operations`] in the file.
pub struct EmbeddedOperations {
    store: Arc<SqliteStore>,
}

impl EmbeddedOperations {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Operations for EmbeddedOperations {
    async fn create(&self, operation: &Operation, key: Option<&Idempotency>) -> Result<Created, LedgerError> {
        let (operation, key) = (operation.clone(), key.cloned());
        let create = move |conn: &Connection| {
            if let Some(earlier) = key.as_ref().map(|key| find(conn, key)).transpose()?.flatten() {
                return Ok(earlier);
            }
            let (key, fingerprint) = key.map(|key| (key.key, key.fingerprint)).unzip();
            let sql = "INSERT INTO operations (id, body, key, fingerprint) VALUES (?1, ?2, ?3, ?4)";
            conn.prepare_cached(sql)?.execute(params![bytes(operation.id), to_json(&operation), key, fingerprint])?;
            Ok(Created::New)
        };
        Ok(self.store.write(Durability::Disk, create).await?)
    }

    async fn get(&self, id: OperationId) -> Result<Option<Operation>, LedgerError> {
        let get = move |conn: &Connection| {
            let mut select = conn.prepare_cached("SELECT body FROM operations WHERE id = ?1")?;
            let body: Option<String> = select.query_row([bytes(id)], |row| row.get(0)).optional()?;
            body.map(|body| from_json("operation", &body)).transpose()
        };
        Ok(self.store.read(get).await?)
    }

    async fn list(&self, limit: usize) -> Result<Vec<Operation>, LedgerError> {
        let list = move |conn: &Connection| {
            let mut select = conn.prepare_cached("SELECT body FROM operations ORDER BY id DESC LIMIT ?1")?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let bodies = select.query_map([limit], |row| row.get::<_, String>(0))?;
            bodies.map(|body| from_json("operation", &body?)).collect()
        };
        Ok(self.store.read(list).await?)
    }

    async fn take(&self, holder: &str, lease: Duration) -> Result<Option<Operation>, LedgerError> {
        // Most of the time there is none, and a write would cost each idle process a commit.
        let any = "SELECT EXISTS (SELECT 1 FROM operations WHERE finished_at IS NULL)";
        let is_any =
            move |conn: &Connection| Ok(conn.prepare_cached(any)?.query_row([], |row| row.get::<_, bool>(0))?);
        if !self.store.read(is_any).await? {
            return Ok(None);
        }
        let holder = holder.to_owned();
        let take = move |conn: &Connection| {
            let now = Timestamp::now();
            let sql = "UPDATE operations SET holder = ?1, held_until = ?2 WHERE id =
                (SELECT id FROM operations WHERE finished_at IS NULL AND (holder IS ?1 OR held_until < ?3) ORDER BY id LIMIT 1)
                RETURNING body";
            let until = now.plus(lease).unix_millis();
            let mut update = conn.prepare_cached(sql)?;
            let body: Option<String> =
                update.query_row(params![holder, until, now.unix_millis()], |row| row.get(0)).optional()?;
            body.map(|body| from_json("operation", &body)).transpose()
        };
        Ok(self.store.write(Durability::Process, take).await?)
    }

    async fn save(&self, operation: &Operation, holder: &str, lease: Duration) -> Result<bool, LedgerError> {
        let (operation, holder) = (operation.clone(), holder.to_owned());
        let save = move |conn: &Connection| {
            let sql = "UPDATE operations SET body = ?2, finished_at = ?3, held_until = ?5 WHERE id = ?1 AND holder = ?4
                AND finished_at IS NULL";
            let finished_at = operation.progress.finished_at.map(Timestamp::unix_millis);
            let until = Timestamp::now().plus(lease).unix_millis();
            let values = params![bytes(operation.id), to_json(&operation), finished_at, holder, until];
            Ok(conn.prepare_cached(sql)?.execute(values)? > 0)
        };
        Ok(self.store.write(Durability::Disk, save).await?)
    }

    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        let sql = "DELETE FROM operations WHERE finished_at < ?1";
        let before = finished_before.unix_millis();
        let sweep = move |conn: &Connection| Ok(conn.prepare_cached(sql)?.execute([before])? as u64);
        Ok(self.store.write(Durability::Process, sweep).await?)
    }
}

/// What a key has made before.
fn find(conn: &Connection, key: &Idempotency) -> Result<Option<Created>, StoreError> {
    let sql = "SELECT fingerprint, body FROM operations WHERE key = ?1 AND id > ?2 ORDER BY id DESC LIMIT 1";
    let first = id_bytes(NotificationId::first_of(Timestamp::now().minus(Idempotency::RETENTION)));
    let mut select = conn.prepare_cached(sql)?;
    let found =
        select.query_row(params![key.key, first], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let Some((fingerprint, body)) = found.optional()? else { return Ok(None) };
    if fingerprint != key.fingerprint {
        return Ok(Some(Created::KeyReused));
    }
    Ok(Some(Created::Earlier(Box::new(from_json("operation", &body)?))))
}

/// The bytes of an id; they sort as the ids do.
fn bytes(id: OperationId) -> [u8; 16] {
    id_bytes(id.into())
}
