//! The folder of this process among those of the processes that spool into one place.
//!
//! Every process spools into a folder of its own and holds a file lock in it, which the system releases when the process
//! ends, however it ends. A folder whose lock is free is therefore left over.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What the names of temporary files begin with.
const UPLOAD_PREFIX: &str = "upload-";
/// What the names of the folders begin with.
const FOLDER_PREFIX: &str = "process-";
/// The file in each folder that its process holds locked.
const LOCK_FILE: &str = "lock";
/// How often making a folder is tried: another process may take it for left over before it is locked.
const MAX_FOLDER_ATTEMPTS: usize = 10;

/// The folder of this process; removed when dropped.
#[derive(Debug)]
pub struct ProcessFolder {
    path: PathBuf,
    _lock: File,
}

impl Drop for ProcessFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

impl ProcessFolder {
    /// Makes one below `root`. Blocks.
    pub fn make(root: &Path) -> io::Result<Self> {
        for _ in 0..MAX_FOLDER_ATTEMPTS {
            let path = root.join(format!("{FOLDER_PREFIX}{:016x}", fastrand::u64(..)));
            let lock_path = path.join(LOCK_FILE);
            std::fs::create_dir(&path)?;
            // Another process that finds the folder before it is locked may remove it; afterwards none does.
            let locked = File::create_new(&lock_path).and_then(|file| Ok(file.try_lock().map(|()| file)?));
            match locked {
                Ok(lock) if lock_path.exists() => return Ok(Self { path, _lock: lock }),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the folder for uploads is removed again and again"))
    }

    /// Makes a file in it, which is removed when dropped. Blocks.
    pub fn temporary_file(&self) -> io::Result<NamedTempFile> {
        // As other files are made: it may become one of the images.
        let permissions = Permissions::from_mode(0o666);
        tempfile::Builder::new().prefix(UPLOAD_PREFIX).permissions(permissions).tempfile_in(&self.path)
    }

    /// Removes what killed processes left behind below `root`; returns how many folders. Blocks.
    pub fn sweep_others(&self, root: &Path) -> io::Result<usize> {
        let others = std::fs::read_dir(root)?.flatten().map(|entry| entry.path()).filter(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(FOLDER_PREFIX) && *folder != self.path
        });
        Ok(others.filter(|folder| remove_leftover(folder).unwrap_or(false)).count())
    }

    /// How many files lie in it beside the lock.
    #[cfg(test)]
    pub fn files(&self) -> usize {
        std::fs::read_dir(&self.path).unwrap().count() - 1
    }
}

/// Removes the folder of a process that has ended; returns whether it has.
fn remove_leftover(folder: &Path) -> io::Result<bool> {
    let lock = match File::open(folder.join(LOCK_FILE)) {
        Ok(lock) => lock,
        // Its process has ended, or has not locked it yet: then the folder is no longer empty in a moment, and this fails.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return std::fs::remove_dir(folder).map(|()| true),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => std::fs::remove_dir_all(folder).map(|()| true),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(root: &Path) -> usize {
        std::fs::read_dir(root).unwrap().count()
    }

    /// As a killed process leaves it: the lock file is there and nobody holds it.
    fn leave(root: &Path, name: &str, files: &[&str]) {
        std::fs::create_dir(root.join(name)).unwrap();
        for file in files {
            File::create(root.join(name).join(file)).unwrap();
        }
    }

    #[test]
    fn leftovers_of_killed_processes_are_removed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        leave(root.path(), "process-killed", &[LOCK_FILE, "upload-1", "upload-2"]);
        leave(root.path(), "process-barely-begun", &[]);
        leave(root.path(), "other", &["upload-3"]);
        let living = ProcessFolder::make(root.path()).unwrap();
        assert_eq!(living.sweep_others(root.path()).unwrap(), 2);
        assert_eq!(folders(root.path()), 2, "the living one and what is not ours");
        let _held = living.temporary_file().unwrap();

        let other = ProcessFolder::make(root.path()).unwrap();
        leave(root.path(), "process-killed-later", &[LOCK_FILE, "upload-4"]);
        let swept = || other.sweep_others(root.path()).unwrap();
        assert_eq!((swept(), swept()), (1, 0));
        assert_eq!((living.files(), folders(root.path())), (1, 3), "what a living process holds stays");
    }

    #[test]
    fn processes_that_begin_and_sweep_at_once_do_not_take_each_others_folders() {
        let root = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let folder = ProcessFolder::make(root.path()).unwrap();
                        folder.sweep_others(root.path()).unwrap();
                        let _held = folder.temporary_file().unwrap();
                        assert_eq!(folder.files(), 1);
                    }
                });
            }
        });
        assert_eq!(folders(root.path()), 0);
    }
}
