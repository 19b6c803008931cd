//! Why the engine's file could not be opened.

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
    /// SQLite cannot use the file.
    #[error("the database cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
}
