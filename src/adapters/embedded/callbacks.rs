//! The port of callbacks over the rows of the file.

use super::callback_rows;
use super::limits::SWEEP_STEP_ROWS;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{CallbackId, Timestamp};
use crate::ports::{Callback, CallbackPage, CallbackQuery, CallbackRoom, Callbacks, LedgerError};
use async_trait::async_trait;
use rusqlite::Connection;
use std::sync::Arc;

/// What a step of the sweep deletes.
const SWEEP_CALLBACKS: &str = "DELETE FROM callbacks WHERE number IN
    (SELECT number FROM callbacks WHERE given_up_at < ?1 LIMIT ?2)";

/// [`Callbacks`] in the file. What it writes may be repeated, so nothing waits for the disk: after a power cut a receiver may be
/// told again.
pub struct EmbeddedCallbacks {
    store: Arc<SqliteStore>,
}

impl EmbeddedCallbacks {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        Ok(self.store.write(Durability::Process, work).await?)
    }
}

#[async_trait]
impl Callbacks for EmbeddedCallbacks {
    async fn claim(&self, now: Timestamp, until: Timestamp, room: &CallbackRoom) -> Result<Vec<Callback>, LedgerError> {
        // The writer is not troubled in vain.
        if !self.store.read(move |conn| callback_rows::is_any_due(conn, now)).await? {
            return Ok(Vec::new());
        }
        let room = room.clone();
        self.write(move |conn| callback_rows::claim(conn, now, until, &room)).await
    }

    async fn delivered(&self, id: &CallbackId, now: Timestamp) -> Result<(), LedgerError> {
        let id = *id;
        self.write(move |conn| callback_rows::delivered(conn, &id, now)).await
    }

    async fn failed(
        &self,
        id: &CallbackId,
        now: Timestamp,
        error: &str,
        next: Option<Timestamp>,
    ) -> Result<(), LedgerError> {
        let (id, error) = (*id, error.to_owned());
        self.write(move |conn| callback_rows::failed(conn, &id, now, &error, next)).await
    }

    /// Waits for the disk: its caller is told that it is done.
    async fn replay(&self, id: &CallbackId, now: Timestamp) -> Result<bool, LedgerError> {
        let id = *id;
        Ok(self.store.write(Durability::Disk, move |conn| callback_rows::replay(conn, &id, now)).await?)
    }

    async fn get(&self, id: &CallbackId) -> Result<Option<Callback>, LedgerError> {
        let id = *id;
        Ok(self.store.read(move |conn| callback_rows::get(conn, &id)).await?)
    }

    async fn list(&self, query: &CallbackQuery) -> Result<CallbackPage, LedgerError> {
        let query = query.clone();
        Ok(self.store.read(move |conn| callback_rows::page(conn, &query)).await?)
    }

    async fn waiting(&self) -> Result<u64, LedgerError> {
        Ok(self.store.read(callback_rows::waiting).await?)
    }

    async fn sweep(&self, given_up_before: Timestamp) -> Result<u64, LedgerError> {
        let (before, mut swept) = (given_up_before.unix_millis(), 0);
        loop {
            let step = move |conn: &Connection| {
                Ok(conn.prepare_cached(SWEEP_CALLBACKS)?.execute([before, SWEEP_STEP_ROWS])?)
            };
            match self.write(step).await? {
                0 => return Ok(swept),
                deleted => swept += deleted as u64,
            }
        }
    }
}
