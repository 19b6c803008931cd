//! The data folder: the names of its files, and the lock that makes it belong to one process.

use super::open_error::OpenError;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The database; beside it lie its write-ahead log (`-wal`, `-shm`), the lock, and sometimes the mark of damage.
pub const DATABASE_FILE: &str = "pixcourier.db";
/// The file that a process locks to have the data folder for itself.
pub const LOCK_FILE: &str = "pixcourier.lock";

/// Makes the folder if it is missing and locks it until the file is dropped.
///
/// # Errors
/// The folder is in use or cannot be written to.
pub fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Folder { folder: data_dir.to_owned(), source };
    std::fs::create_dir_all(data_dir).map_err(io)?;
    let lock = File::create(data_dir.join(LOCK_FILE)).map_err(io)?;
    lock.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => OpenError::InUse(data_dir.to_owned()),
        std::fs::TryLockError::Error(source) => io(source),
    })?;
    Ok(lock)
}

/// The file beside a database whose name ends like this: `-wal`, `-shm`.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The write-ahead log of a database, if there is one with something in it.
pub fn write_ahead_log(database: &Path) -> Option<PathBuf> {
    let log = beside(database, "-wal");
    std::fs::metadata(&log).is_ok_and(|log| log.len() > 0).then_some(log)
}

/// Waits until what was created, renamed or removed in a folder is on the disk.
pub fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
