//! The pictures on disk, each content once, bounded in number and bytes. Uploads are written here as they arrive, so
//! memory does not grow with them.

use super::file_id::Secret;
use crate::domain::Sha256;
use sha2::Digest;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempPath;

/// What is kept, by digest.
pub(super) struct Store {
    dir: PathBuf,
    /// Makes the file_ids of this store its own; kept beside the pictures, so that they outlive a restart together.
    pub secret: Secret,
    max_files: usize,
    max_bytes: u64,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    sizes: HashMap<Sha256, u64>,
    oldest_first: VecDeque<Sha256>,
    bytes: u64,
}

/// A file that arrived; gone from the disk when dropped, unless it was kept.
pub(super) struct Upload {
    pub path: TempPath,
    pub sha256: Sha256,
    pub bytes: u64,
    pub file_name: String,
}

impl Upload {
    /// A copy of a file of this machine.
    pub fn copied(from: &Path, incoming: &Path) -> io::Result<Self> {
        let mut source = fs::File::open(from)?;
        if !source.metadata()?.is_file() {
            return Err(io::Error::other("not a file"));
        }
        let (mut file, path) = tempfile::NamedTempFile::new_in(incoming)?.into_parts();
        let (mut hash, mut bytes, mut buffer) = (sha2::Sha256::new(), 0, vec![0; 128 << 10]);
        loop {
            let read = source.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
            bytes += read as u64;
        }
        let file_name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path, sha256: Sha256::from_bytes(hash.finalize().into()), bytes, file_name })
    }
}

impl Store {
    /// Opens a folder. Pictures that are there already stay.
    pub fn open(dir: PathBuf, max_files: usize, max_bytes: u64) -> io::Result<Self> {
        for folder in ["incoming", "pictures"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let secret = secret(&dir.join("secret"))?;
        let store = Self { dir, secret, max_files, max_bytes, shelf: Mutex::default() };
        for left in fs::read_dir(store.incoming())? {
            fs::remove_file(left?.path())?;
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(store.dir.join("pictures"))? {
            let entry = entry?;
            let (name, about) = (entry.file_name(), entry.metadata()?);
            if let Some(sha256) = name.to_str().and_then(|name| name.parse::<Sha256>().ok()) {
                found.push((about.modified()?, sha256, about.len()));
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        found.into_iter().for_each(|(_, sha256, bytes)| store.shelve(sha256, bytes));
        Ok(store)
    }

    /// Where uploads are written.
    pub fn incoming(&self) -> PathBuf {
        self.dir.join("incoming")
    }

    /// Where a content is, or would be.
    pub fn path(&self, sha256: &Sha256) -> PathBuf {
        self.dir.join("pictures").join(sha256.to_string())
    }

    /// The size of a content that is still kept.
    pub fn size(&self, sha256: &Sha256) -> Option<u64> {
        self.shelf().sizes.get(sha256).copied()
    }

    /// Keeps an upload, and lets the oldest go where there is no room.
    pub fn keep(&self, upload: &Upload) -> io::Result<()> {
        if self.size(&upload.sha256).is_none() {
            fs::rename(&upload.path, self.path(&upload.sha256))?;
            self.shelve(upload.sha256, upload.bytes);
        }
        Ok(())
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("nothing panics while it holds the shelf")
    }

    fn shelve(&self, sha256: Sha256, bytes: u64) {
        let mut shelf = self.shelf();
        if shelf.sizes.insert(sha256, bytes).is_none() {
            shelf.oldest_first.push_back(sha256);
            shelf.bytes += bytes;
        }
        while shelf.oldest_first.len() > self.max_files || shelf.bytes > self.max_bytes {
            let Some(oldest) = shelf.oldest_first.pop_front() else { return };
            shelf.bytes -= shelf.sizes.remove(&oldest).unwrap_or(0);
            // If it cannot be removed it is only disk space, until the next start finds it.
            let _ = fs::remove_file(self.path(&oldest));
        }
    }
}

fn secret(path: &Path) -> io::Result<Secret> {
    if let Ok(bytes) = fs::read(path)
        && let Ok(secret) = Secret::try_from(bytes)
    {
        return Ok(secret);
    }
    let mut secret = Secret::default();
    fastrand::fill(&mut secret);
    fs::write(path, secret)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(store: &Store, bytes: &[u8]) -> Upload {
        let mut file = tempfile::NamedTempFile::new_in(store.incoming()).unwrap();
        file.write_all(bytes).unwrap();
        let sha256 = Sha256::of(bytes);
        Upload { path: file.into_temp_path(), sha256, bytes: bytes.len() as u64, file_name: String::new() }
    }

    #[test]
    fn the_oldest_pictures_go_and_the_rest_outlives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned(), 2, 1000).unwrap();
        for picture in [b"one", b"two", b"two", b"six"] {
            store.keep(&upload(&store, picture)).unwrap();
        }
        assert_eq!(fs::read_dir(store.incoming()).unwrap().count(), 0);
        let secret = store.secret;
        let store = Store::open(dir.path().to_owned(), 2, 1000).unwrap();
        assert_eq!(store.secret, secret);
        let kept = |picture: &[u8; 3]| store.size(&Sha256::of(picture)).is_some();
        assert_eq!([b"one", b"two", b"six"].map(kept), [false, true, true]);
        assert!(!store.path(&Sha256::of(b"one")).exists());
        let small = Store::open(dir.path().to_owned(), 2, 5).unwrap();
        assert_eq!(small.shelf().oldest_first.len(), 1);
    }
}
