//! What `object_store` does not do in a folder.

use super::errors;
use super::limits::BLOBS_FOLDER;
use crate::domain::{Sha256, Timestamp};
use crate::ports::BlobError;
use object_store::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::spawn_blocking;

/// Gives a complete file the name of an object too, durably, without copying it; its time of modification becomes now. `false`
/// where that cannot be done, as on another disk.
///
/// # Errors
/// The file has not so many bytes, or the disk fails.
pub(super) async fn adopt(file: PathBuf, size: u64, object: PathBuf) -> Result<bool, BlobError> {
    let adopt = move || {
        let length = fs::metadata(&file).map_err(|error| errors::spool_error(&error))?.len();
        if length != size {
            return Err(errors::spool_error(&io::ErrorKind::UnexpectedEof.into()));
        }
        // What `object_store` calls its unfinished files, and so takes for none of its objects.
        let staged = PathBuf::from(format!("{}#{}", object.display(), fastrand::u64(..)));
        if link(&file, &staged).is_err() {
            return Ok(false);
        }
        publish(&staged, &object).map(|()| true).map_err(|error| {
            let _ = fs::remove_file(&staged);
            errors::folder_error(&error)
        })
    };
    spawn_blocking(adopt).await.unwrap_or_else(|_| Err(errors::folder_error(&io::ErrorKind::Interrupted.into())))
}

fn link(file: &Path, staged: &Path) -> io::Result<()> {
    match fs::hard_link(file, staged) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(folder) = staged.parent() else { return Err(error) };
            fs::create_dir_all(folder)?;
            // Whichever of them was made: each stands in the one above it.
            for above in folder.ancestors().skip(1).take(2) {
                sync_folder(above)?;
            }
            fs::hard_link(file, staged)
        }
        linked => linked,
    }
}

/// Waits for the disk before the name is there, and after.
fn publish(staged: &Path, object: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(staged)?;
    file.set_modified(SystemTime::now())?;
    file.sync_all()?;
    fs::rename(staged, object)?;
    // Of two links to one file a rename removes none.
    if let Err(error) = fs::remove_file(staged)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    object.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The blobs in a folder, with their digests, in no particular order.
pub fn blob_files(root: &Path) -> impl Iterator<Item = io::Result<(Sha256, PathBuf)>> + use<> {
    let folders = entries(&root.join(BLOBS_FOLDER));
    let files = folders.flat_map(|folder| match folder {
        Ok(folder) if folder.is_dir() => Box::new(entries(&folder)) as Box<dyn Iterator<Item = io::Result<PathBuf>>>,
        other => Box::new(std::iter::once(other)),
    });
    files.filter_map(|file| match file {
        Ok(file) => file.file_name()?.to_str()?.parse().ok().map(|sha256| Ok((sha256, file))),
        Err(error) => Some(Err(error)),
    })
}

/// What is in a folder; nothing if there is none.
fn entries(folder: &Path) -> impl Iterator<Item = io::Result<PathBuf>> + use<> {
    let (entries, error) = match fs::read_dir(folder) {
        Ok(entries) => (Some(entries), None),
        Err(error) => (None, Some(error).filter(|error| error.kind() != io::ErrorKind::NotFound)),
    };
    entries.into_iter().flatten().map(|entry| Ok(entry?.path())).chain(error.map(Err))
}

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
