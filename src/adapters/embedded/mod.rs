//! The embedded engine: one process, one SQLite file that holds queue, ledger, index and blobs. What is answered `Ok`
//! has been written to the disk and waited for, unless it may be repeated or forgotten without harm.

mod acceptor;
mod blobs;
mod clerk;
mod fault;
mod ledger;
mod media_index;
mod outcome_notifier;
mod queue;
mod recipients;
mod schema;
mod store;
mod writer;

pub use outcome_notifier::LocalOutcomeNotifier;

use crate::ports::{Acceptor, Blobs, Ledger, MediaIndex, OutcomeNotifier, Queue, Recipients};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The engine's ports over one open file.
#[derive(Clone)]
pub struct Embedded {
    /// Takes notifications in.
    pub acceptor: Arc<dyn Acceptor>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The upload-once index and the pins.
    pub media: Arc<dyn MediaIndex>,
    /// The images.
    pub blobs: Arc<dyn Blobs>,
    /// The way back of outcomes.
    pub outcome_notifier: Arc<dyn OutcomeNotifier>,
    /// The recipient book.
    pub recipients: Arc<dyn Recipients>,
    store: Arc<store::Store>,
}

impl Embedded {
    /// The database in the data folder; beside it lie its log (`-wal`, `-shm`) and the lock.
    pub const FILE: &str = "pixcourier.db";
    /// The file that a process locks to have the data folder for itself.
    pub const LOCK: &str = "pixcourier.lock";

    /// Opens the file in a folder, both made if missing, and holds the folder's lock until it is closed or the process
    /// ends. Blocks while leftovers of interrupted uploads are removed.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Folder { folder: data_dir.to_owned(), source };
        std::fs::create_dir_all(data_dir).map_err(io)?;
        let lock = std::fs::File::create(data_dir.join(Self::LOCK)).map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => OpenError::InUse(data_dir.to_owned()),
            std::fs::TryLockError::Error(source) => io(source),
        })?;
        let path = data_dir.join(Self::FILE);
        let conn = schema::writer(&path)?;
        blobs::remove_leftovers(&conn)?;
        let store = store::Store::start(&path, conn, lock).map_err(io)?;
        let offices = Arc::new(clerk::Offices::default());
        Ok(Self {
            acceptor: Arc::new(acceptor::EmbeddedAcceptor::new(store.clone(), offices.clone())),
            queue: Arc::new(queue::EmbeddedQueue::new(store.clone(), offices)),
            ledger: Arc::new(ledger::EmbeddedLedger::new(store.clone())),
            media: Arc::new(media_index::EmbeddedMediaIndex::new(store.clone())),
            blobs: Arc::new(blobs::EmbeddedBlobs::new(store.clone())),
            outcome_notifier: Arc::new(LocalOutcomeNotifier::default()),
            recipients: Arc::new(recipients::EmbeddedRecipients::new(store.clone())),
            store,
        })
    }

    /// Finishes what was begun, leaves a file without a log and gives the lock back. The ports refuse everything
    /// afterwards and subscriptions end.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process: the embedded engine needs a data folder of its own", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be made or written to.
    #[error("{} cannot be used as data folder: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was written by a newer version of this program.
    #[error("the database has layout {found}, this version knows layouts up to {known}: use a newer version")]
    Newer {
        /// Its layout.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// SQLite cannot use the file.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
}
