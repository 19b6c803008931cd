//! What can go wrong below the ports, and what it is called above.

use crate::ports::{AcceptError, BlobError, LedgerError, QueueError};
use rusqlite::ErrorCode;

/// Why the store did not do it. The texts are SQLite's or ours; neither holds what was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The disk is full.
    #[error("{0}")]
    Full(String),
    /// Anything else: the disk fails, the store is closed, a row cannot be read.
    #[error("{0}")]
    Broken(String),
}

impl Fault {
    /// The store has been closed.
    pub fn closed() -> Self {
        Self::Broken("the store is closed".to_owned())
    }

    /// A row that this program did not write so.
    pub fn unreadable(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Broken(format!("unreadable {what}: {error}"))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<Fault> for QueueError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full(reason) => Self::Full(reason),
            Fault::Broken(reason) => Self::Unavailable(reason),
        }
    }
}

impl From<Fault> for BlobError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full(reason) => Self::Full(reason),
            Fault::Broken(reason) => Self::Unavailable(reason),
        }
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        Self::Unavailable(fault.to_string())
    }
}

impl From<Fault> for AcceptError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full(reason) => Self::Full(reason),
            Fault::Broken(reason) => Self::Unavailable { part: "queue", reason },
        }
    }
}
