//! The pictures on disk, each content once, bounded in number and bytes. Uploads are written here as they arrive, so
//! memory does not grow with them.

use super::file_id::FileIdSecret;
use crate::domain::Sha256;
use crate::sandbox::locked::Locked;
use sha2::Digest;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// The kept files, by the digest of their content.
pub struct MediaStore {
    dir: PathBuf,
    /// Signs the file_ids of this store; kept beside the pictures, so that they outlive a restart together.
    pub secret: FileIdSecret,
    max_files: usize,
    max_bytes: u64,
    index: Locked<StoreIndex>,
}

#[derive(Default)]
struct StoreIndex {
    sizes: HashMap<Sha256, u64>,
    oldest_first: VecDeque<Sha256>,
    bytes: u64,
}

/// A file that arrived; removed from the disk when dropped, unless it was kept.
pub struct ReceivedFile {
    pub path: TempPath,
    pub sha256: Sha256,
    pub bytes: u64,
    pub file_name: String,
}

impl ReceivedFile {
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

impl MediaStore {
    /// Opens a folder. Pictures that are there already stay.
    pub fn open(dir: PathBuf, max_files: usize, max_bytes: u64) -> io::Result<Self> {
        for folder in ["incoming", "pictures"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let secret = secret(&dir.join("secret"))?;
        let store = Self { dir, secret, max_files, max_bytes, index: Locked::default() };
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
        found.into_iter().for_each(|(_, sha256, bytes)| store.add(sha256, bytes));
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
        self.index.lock().sizes.get(sha256).copied()
    }

    /// Keeps an upload, and lets the oldest go where there is no room.
    pub fn keep(&self, upload: &ReceivedFile) -> io::Result<()> {
        if self.size(&upload.sha256).is_none() {
            fs::rename(&upload.path, self.path(&upload.sha256))?;
            self.add(upload.sha256, upload.bytes);
        }
        Ok(())
    }

    /// Takes note of a file on the disk, and removes the oldest files while there are too many.
    fn add(&self, sha256: Sha256, bytes: u64) {
        let mut index = self.index.lock();
        if index.sizes.insert(sha256, bytes).is_none() {
            index.oldest_first.push_back(sha256);
            index.bytes += bytes;
        }
        while index.oldest_first.len() > self.max_files || index.bytes > self.max_bytes {
            let Some(oldest) = index.oldest_first.pop_front() else { return };
            index.bytes -= index.sizes.remove(&oldest).unwrap_or(0);
            // If it cannot be removed it is only disk space, until the next start finds it.
            let _ = fs::remove_file(self.path(&oldest));
        }
    }
}

fn secret(path: &Path) -> io::Result<FileIdSecret> {
    if let Ok(bytes) = fs::read(path)
        && let Ok(secret) = FileIdSecret::try_from(bytes)
    {
        return Ok(secret);
    }
    let mut secret = FileIdSecret::default();
    fastrand::fill(&mut secret);
    fs::write(path, secret)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(store: &MediaStore, bytes: &[u8]) -> ReceivedFile {
        let mut file = tempfile::NamedTempFile::new_in(store.incoming()).unwrap();
        file.write_all(bytes).unwrap();
        let sha256 = Sha256::of(bytes);
        ReceivedFile { path: file.into_temp_path(), sha256, bytes: bytes.len() as u64, file_name: String::new() }
    }

    #[test]
    fn the_oldest_pictures_go_and_the_rest_outlives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = MediaStore::open(dir.path().to_owned(), 2, 1000).unwrap();
        for picture in [b"one", b"two", b"two", b"six"] {
            store.keep(&upload(&store, picture)).unwrap();
        }
        assert_eq!(fs::read_dir(store.incoming()).unwrap().count(), 0);
        let secret = store.secret;
        let store = MediaStore::open(dir.path().to_owned(), 2, 1000).unwrap();
        assert_eq!(store.secret, secret);
        let kept = |picture: &[u8; 3]| store.size(&Sha256::of(picture)).is_some();
        assert_eq!([b"one", b"two", b"six"].map(kept), [false, true, true]);
        assert!(!store.path(&Sha256::of(b"one")).exists());
        let small = MediaStore::open(dir.path().to_owned(), 2, 5).unwrap();
        assert_eq!(small.index.lock().oldest_first.len(), 1);
    }
}
