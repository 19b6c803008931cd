//! Why the engine's file could not be opened.

use rusqlite::ErrorCode;
use std::path::PathBuf;

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the lock on the data folder.
    #[error("{} is in use by another process: the embedded engine needs a data folder of its own", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be created or written to.
    #[error("{} cannot be used as data folder: {source}", folder.display())]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The file was written by a newer version of this program.
    #[error("the database has layout {found}, this version knows layouts up to {known}: use a newer version")]
    Newer {
        /// The version of the file's schema (`user_version`).
        found: u32,
        /// The newest schema version that this program knows.
        known: u32,
    },
    /// The file is no database, or one that cannot be believed.
    #[error(
        "the database is damaged: {0}. Put a backup in its place with `pixcourier restore`; docs/operation.md has more"
    )]
    Damaged(String),
    /// SQLite cannot use the file.
    #[error("the database cannot be opened: {0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Database(error),
        }
    }
}
