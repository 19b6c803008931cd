//! Opens the engine's file and makes the ports over it.

use super::acceptor::EmbeddedAcceptor;
use super::blob_rows;
use super::blobs::EmbeddedBlobs;
use super::ledger::EmbeddedLedger;
use super::media_index::EmbeddedMediaIndex;
use super::open_error::OpenError;
use super::outcome_notifier::EmbeddedOutcomeNotifier;
use super::ownership_table::OwnershipTable;
use super::queue::EmbeddedQueue;
use super::recipients::EmbeddedRecipients;
use super::schema;
use super::sqlite_store::SqliteStore;
use crate::ports::Ports;
use std::path::Path;
use std::sync::Arc;

/// The ports over one open file. Cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    /// The ports.
    pub ports: Ports,
    store: Arc<SqliteStore>,
}

impl Embedded {
    /// The database in the data folder; beside it lie its write-ahead log (`-wal`, `-shm`) and the lock.
    pub const DATABASE_FILE: &str = "pixcourier.db";
    /// The file that a process locks to have the data folder for itself.
    pub const LOCK_FILE: &str = "pixcourier.lock";

    /// Opens the file in a folder, both created if missing, and holds the folder's lock until it is closed or the
    /// process ends. Blocks while leftovers of interrupted uploads are deleted.
    ///
    /// # Errors
    /// The folder is in use or cannot be written to, or SQLite cannot use the file.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Folder { folder: data_dir.to_owned(), source };
        std::fs::create_dir_all(data_dir).map_err(io)?;
        let lock = std::fs::File::create(data_dir.join(Self::LOCK_FILE)).map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => OpenError::InUse(data_dir.to_owned()),
            std::fs::TryLockError::Error(source) => io(source),
        })?;
        let path = data_dir.join(Self::DATABASE_FILE);
        let conn = schema::open_writer(&path)?;
        blob_rows::delete_leftovers(&conn)?;
        let store = SqliteStore::start(&path, conn, lock).map_err(io)?;
        let owners = Arc::new(OwnershipTable::default());
        let ports = Ports {
            acceptor: Arc::new(EmbeddedAcceptor::new(store.clone(), owners.clone())),
            queue: Arc::new(EmbeddedQueue::new(store.clone(), owners)),
            ledger: Arc::new(EmbeddedLedger::new(store.clone())),
            media: Arc::new(EmbeddedMediaIndex::new(store.clone())),
            blobs: Arc::new(EmbeddedBlobs::new(store.clone())),
            outcome_notifier: Arc::new(EmbeddedOutcomeNotifier::default()),
            recipients: Arc::new(EmbeddedRecipients::new(store.clone())),
        };
        Ok(Self { ports, store })
    }

    /// Finishes the writes that were begun, leaves a file without a log and releases the lock. Afterwards the ports
    /// refuse everything, and subscriptions have ended.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
