//! What `object_store` does not do in a folder.

use crate::domain::Timestamp;
use crate::ports::BlobError;
use object_store::Error;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::spawn_blocking;

/// Sets a file's time of modification to now.
pub(super) async fn touch(path: PathBuf) -> Result<(), Error> {
    let touch = spawn_blocking(move || File::options().write(true).open(path)?.set_modified(SystemTime::now())).await?;
    touch.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: String::new(), source: Box::new(error) },
        _ => Error::Generic { store: "", source: Box::new(error) },
    })
}

/// Deletes files that uploads were writing (`<sha256>#<number>`) when their process died, if they are old enough.
pub(super) async fn sweep_leftovers(blobs: PathBuf, before: Timestamp) -> Result<(), BlobError> {
    let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before.unix_millis()).unwrap_or(0));
    let swept = spawn_blocking(move || {
        let folders = fs::read_dir(blobs)?.flatten().filter_map(|folder| fs::read_dir(folder.path()).ok());
        for file in folders.flatten().flatten() {
            let unfinished = file.file_name().to_string_lossy().contains('#');
            if unfinished && file.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| at < before) {
                fs::remove_file(file.path())?;
            }
        }
        io::Result::Ok(())
    });
    match swept.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BlobError::Unavailable(error.kind().to_string())),
        _ => Ok(()),
    }
}
