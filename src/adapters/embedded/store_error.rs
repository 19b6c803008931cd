//! Errors of the SQLite store, and which error of each port they become.

use crate::ports::{AcceptError, BlobError, LedgerError, QueueError};
use rusqlite::ErrorCode;

/// Why the store did not do it. The texts are SQLite's or ours; neither holds what was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("{0}")]
    Full(String),
    /// The file is damaged: nothing that it says can be relied on any more.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Anything else: the disk fails, the store is closed, a row cannot be read.
    #[error("{0}")]
    Broken(String),
}

impl StoreError {
    /// The store has been closed.
    pub fn closed() -> Self {
        Self::Broken("the store is closed".to_owned())
    }

    /// A value that this program cannot have written like this.
    pub fn unreadable(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Broken(format!("unreadable {what}: {error}"))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<StoreError> for QueueError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(reason) => Self::Full(reason),
            StoreError::Damaged(_) | StoreError::Broken(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<StoreError> for BlobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(reason) => Self::Full(reason),
            StoreError::Damaged(_) | StoreError::Broken(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for AcceptError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(reason) => Self::Full(reason),
            StoreError::Damaged(_) | StoreError::Broken(_) => {
                Self::Unavailable { part: "queue", reason: error.to_string() }
            }
        }
    }
}
