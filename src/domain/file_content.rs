//! Where the bytes of a complete file are.

use bytes::Bytes;
use std::fmt;
use std::path::PathBuf;

/// The bytes of a file, or where they lie.
#[derive(Clone)]
pub enum FileContent {
    /// Here.
    Memory(Bytes),
    /// On local disk.
    File(PathBuf),
}

impl FileContent {
    /// All of them. Blocks while a file is read.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::File(path) => std::fs::read(path).map(Bytes::from),
        }
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => path.fmt(f),
        }
    }
}
