//! Why a backup could not be made or restored.

use super::open_error::OpenError;
use std::path::PathBuf;

/// Why a backup could not be made or restored. Nothing was changed, unless [`BackupError::File`] names a file of the data
/// folder: then restoring again finishes it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no database to copy.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// The backup would overwrite something.
    #[error("{} exists already, and a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// A write-ahead log lies beside what is to be restored.
    #[error(
        "{} lies beside it: that is no backup but a database in use. Make one with `pixcourier backup`", .0.display()
    )]
    InUse(PathBuf),
    /// What is to be restored was not written by this program.
    #[error("{} is no database of pixcourier", .0.display())]
    Foreign(PathBuf),
    /// What is to be copied is damaged.
    #[error("{} is damaged: {found}", file.display())]
    Damaged {
        /// What is to be copied.
        file: PathBuf,
        /// The first fault.
        found: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file, or its folder.
        file: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The data folder is in use, or SQLite cannot use one of the files.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Open(error.into())
    }
}
