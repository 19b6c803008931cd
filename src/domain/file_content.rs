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

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => path.fmt(f),
        }
    }
}
