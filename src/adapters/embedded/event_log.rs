//! The port of the log of ends over the rows of the file.

use super::event_rows;
use super::sqlite_store::SqliteStore;
use super::writer::Durability;
use crate::domain::{EventId, Timestamp};
use crate::ports::{EventLog, EventPage, LedgerError};
use async_trait::async_trait;
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;

/// [`EventLog`] in the file.
pub struct EmbeddedEventLog {
    store: Arc<SqliteStore>,
}

impl EmbeddedEventLog {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl EventLog for EmbeddedEventLog {
    async fn keep(&self, retention: Duration) -> Result<EventId, LedgerError> {
        let keep = move |conn: &Connection| {
            let now = Timestamp::now();
            event_rows::keep(conn, now, now.plus(retention))
        };
        Ok(self.store.write(Durability::Disk, keep).await?)
    }

    async fn after(&self, id: EventId, limit: usize) -> Result<Option<EventPage>, LedgerError> {
        Ok(self.store.read(move |conn| event_rows::page(conn, id, limit)).await?)
    }

    async fn sweep(&self, before: EventId) -> Result<u64, LedgerError> {
        let mut swept = 0;
        loop {
            match self.store.write(Durability::Process, move |conn| event_rows::sweep(conn, before)).await? {
                0 => return Ok(swept),
                deleted => swept += deleted as u64,
            }
        }
    }
}
