//! The port for what operators have paused, over the rows of the file.

use super::paused_rows;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{Pause, PauseList, PauseTarget};
use crate::ports::{LedgerError, Paused, Pauses};
use async_trait::async_trait;
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::watch;

/// [`Pauses`] in the file. The one process that has it knows every change at once.
pub struct EmbeddedPauses {
    store: Arc<SqliteStore>,
    known: watch::Sender<Arc<PauseList>>,
}

impl EmbeddedPauses {
    /// Over the open file, in which these are.
    pub fn new(store: Arc<SqliteStore>, known: PauseList) -> Self {
        Self { store, known: watch::Sender::new(Arc::new(known)) }
    }

    /// Writes, durably, what may have changed the id of a paused chat, and lets everybody know.
    pub async fn follow<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let known = self.known.clone();
        let change = move |conn: &Connection| Ok((work(conn)?, paused_rows::list(conn)?));
        let tell = move |(done, list)| {
            known.send_replace(Arc::new(list));
            done
        };
        self.store.write_then(Durability::Disk, change, tell).await
    }
}

#[async_trait]
impl Pauses for EmbeddedPauses {
    async fn pause(&self, target: &PauseTarget, pause: &Pause) -> Result<Paused, LedgerError> {
        let (target, wanted, pause, known) = (target.clone(), pause.clone(), pause.clone(), self.known.clone());
        let change = move |conn: &Connection| {
            let present = paused_rows::present(conn, target)?;
            Ok((paused_rows::pause(conn, &present, &wanted)?, present))
        };
        let tell = move |(paused, present)| {
            if paused == Paused::New {
                known.send_modify(|list| Arc::make_mut(list).put(present, pause));
            }
            paused
        };
        Ok(self.store.write_then(Durability::Disk, change, tell).await?)
    }

    async fn resume(&self, target: &PauseTarget) -> Result<Option<Pause>, LedgerError> {
        let (target, known) = (target.clone(), self.known.clone());
        let change = move |conn: &Connection| {
            let present = paused_rows::present(conn, target)?;
            Ok((paused_rows::resume(conn, &present)?, present))
        };
        let tell = move |(resumed, present): (Option<Pause>, PauseTarget)| {
            if resumed.is_some() {
                known.send_modify(|list| Arc::make_mut(list).remove(&present));
            }
            resumed
        };
        Ok(self.store.write_then(Durability::Disk, change, tell).await?)
    }

    async fn list(&self) -> Result<PauseList, LedgerError> {
        Ok(self.store.read(paused_rows::list).await?)
    }

    fn known(&self) -> watch::Receiver<Arc<PauseList>> {
        self.known.subscribe()
    }
}
