//! Opens the engine's file and makes the ports over it.

use super::acceptor::EmbeddedAcceptor;
use super::callbacks::EmbeddedCallbacks;
use super::damage::{Damage, DamageMark};
use super::data_folder;
use super::event_log::EmbeddedEventLog;
use super::integrity;
use super::ledger::EmbeddedLedger;
use super::limits::START_CHECK_TIME;
use super::media_index::EmbeddedMediaIndex;
use super::open_error::OpenError;
use super::operations::EmbeddedOperations;
use super::outcome_notifier::EmbeddedOutcomeNotifier;
use super::ownership_table::OwnershipTable;
use super::packed_blobs;
use super::paused_rows;
use super::pauses::EmbeddedPauses;
use super::queue::EmbeddedQueue;
use super::quotas::EmbeddedQuotas;
use super::recipients::EmbeddedRecipients;
use super::row_counts::RowCounts;
use super::schema;
use super::sqlite_store::SqliteStore;
use super::unpacking;
use crate::ports::{BlobError, Blobs, Ports};
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The ports over one open file. Cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    /// The ports.
    pub ports: Ports,
    store: Arc<SqliteStore>,
    data_dir: PathBuf,
}

impl Embedded {
    /// The database in the data folder.
    pub const DATABASE_FILE: &str = data_folder::DATABASE_FILE;
    /// The file that a process locks to have the data folder for itself.
    pub const LOCK_FILE: &str = data_folder::LOCK_FILE;

    /// Whether damage was found since the start.
    pub fn is_damaged(&self) -> bool {
        self.store.is_damaged()
    }

    /// Opens the file in a folder, both created if missing, beside the blobs, and holds the folder's lock until it is closed or the
    /// process ends. Blocks while the file is checked (for seconds, or in full if it is marked as damaged) and leftovers of
    /// interrupted uploads are deleted.
    ///
    /// # Errors
    /// The folder is in use or cannot be written to, or the file is damaged or newer, or SQLite cannot use it.
    pub fn open(data_dir: &Path, blobs: Arc<dyn Blobs>) -> Result<Self, OpenError> {
        let io = |source| OpenError::Folder { folder: data_dir.to_owned(), source };
        let lock = data_folder::lock(data_dir)?;
        let path = data_dir.join(Self::DATABASE_FILE);
        let mark = DamageMark::of(data_dir);
        let conn = match open_checked(&path, mark.is_set()) {
            Ok(conn) => conn,
            Err(error) => {
                if let OpenError::Damaged(reason) = &error {
                    // The error says more than that a full disk takes no mark.
                    let _ =
                        mark.set(reason).inspect_err(|error| tracing::warn!(%error, "the damage could not be marked"));
                }
                return Err(error);
            }
        };
        mark.clear().map_err(io)?;
        let paused = paused_rows::list(&conn.0).map_err(|error| io(std::io::Error::other(error)))?;
        let owners = Arc::new(OwnershipTable::new(conn.1.clone()));
        let store = SqliteStore::start(&path, conn, lock, Damage::none(mark)).map_err(io)?;
        let pauses = Arc::new(EmbeddedPauses::new(store.clone(), paused));
        let ports = Ports {
            acceptor: Arc::new(EmbeddedAcceptor::new(store.clone(), owners.clone())),
            queue: Arc::new(EmbeddedQueue::new(store.clone(), owners.clone())),
            ledger: Arc::new(EmbeddedLedger::new(store.clone(), owners, pauses.clone())),
            media: Arc::new(EmbeddedMediaIndex::new(store.clone())),
            blobs,
            outcome_notifier: Arc::new(EmbeddedOutcomeNotifier::default()),
            recipients: Arc::new(EmbeddedRecipients::new(store.clone())),
            quotas: Arc::new(EmbeddedQuotas::new(store.clone())),
            callbacks: Arc::new(EmbeddedCallbacks::new(store.clone())),
            event_log: Arc::new(EmbeddedEventLog::new(store.clone())),
            operations: Arc::new(EmbeddedOperations::new(store.clone())),
            pauses,
        };
        Ok(Self { ports, store, data_dir: data_dir.to_owned() })
    }

    /// Moves blobs that stand in the file to the others, as they do after a restore, or in the file of a version that kept them
    /// there. Returns how many. What was not moved when this fails, is when it is called again.
    ///
    /// # Errors
    /// Either store fails.
    pub async fn unpack_blobs(&self) -> Result<u64, BlobError> {
        unpacking::unpack_blobs(&self.store, self.ports.blobs.as_ref(), &self.data_dir).await
    }

    /// Finishes the writes that were begun, leaves a file without a log and releases the lock. Afterwards the ports
    /// refuse everything, and subscriptions have ended.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Opens the file and leaves it alone unless it is sound, as far as it is checked.
fn open_checked(path: &Path, in_full: bool) -> Result<(Connection, Arc<RowCounts>), OpenError> {
    if in_full && !path.exists() {
        return Err(OpenError::Damaged("it is gone, and a restore may have been interrupted".to_owned()));
    }
    integrity::refuse_foreign_log(path)?;
    let mut conn = schema::open_writer(path)?;
    if in_full {
        tracing::warn!("the database is marked as damaged: it is checked in full before it is used");
        integrity::check_all(&conn)?;
    } else {
        integrity::check_for(&conn, START_CHECK_TIME)?;
    }
    let open = schema::prepare_writer(&mut conn)?;
    match packed_blobs::delete_leftovers(&conn) {
        // It can wait for another start; what was accepted should be there to be asked for now.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            tracing::warn!(%error, "leftovers of interrupted uploads cannot be deleted");
        }
        deleted => deleted?,
    }
    Ok((conn, open))
}
