//! The quotas port over the rows of the file.

use super::sqlite_store::SqliteStore;
use super::writer::Durability;
use crate::domain::ClientName;
use crate::ports::{Day, LedgerError, Quotas, Taken};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// [`Quotas`] in the file.
pub struct EmbeddedQuotas {
    store: Arc<SqliteStore>,
}

impl EmbeddedQuotas {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Quotas for EmbeddedQuotas {
    /// The acceptance that follows commits to the disk, and this with it.
    async fn take(&self, client: &ClientName, day: Day, cost: u32, limit: u64) -> Result<Taken, LedgerError> {
        let client = client.clone();
        let take = move |conn: &Connection| {
            let mut select = conn.prepare_cached("SELECT used FROM quotas WHERE client = ?1 AND day = ?2")?;
            let used: Option<i64> =
                select.query_row(params![client.as_str(), day.number()], |row| row.get(0)).optional()?;
            let used = used.and_then(|used| u64::try_from(used).ok()).unwrap_or(0);
            let wanted = used.saturating_add(u64::from(cost));
            if wanted > limit {
                return Ok(Taken { counted: false, used });
            }
            // The first of a day takes the place of the days before.
            if used == 0 {
                let delete = "DELETE FROM quotas WHERE client = ?1 AND day < ?2";
                conn.prepare_cached(delete)?.execute(params![client.as_str(), day.number()])?;
            }
            let insert = "INSERT INTO quotas (client, day, used) VALUES (?1, ?2, ?3)
                ON CONFLICT (client, day) DO UPDATE SET used = used + ?3";
            conn.prepare_cached(insert)?.execute(params![client.as_str(), day.number(), cost])?;
            Ok(Taken { counted: true, used: wanted })
        };
        Ok(self.store.write(Durability::Process, take).await?)
    }

    async fn give_back(&self, client: &ClientName, day: Day, cost: u32) -> Result<(), LedgerError> {
        let client = client.clone();
        let give_back = move |conn: &Connection| {
            let update = "UPDATE quotas SET used = max(0, used - ?3) WHERE client = ?1 AND day = ?2";
            conn.prepare_cached(update)?.execute(params![client.as_str(), day.number(), cost])?;
            Ok(())
        };
        Ok(self.store.write(Durability::Process, give_back).await?)
    }
}
