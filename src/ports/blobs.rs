//! The blob store: file contents by their SHA-256, so that equal files are stored once (deduplication).

use super::MediaIndex;
use crate::domain::{FileContent, Sha256, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::Stream;
use std::pin::Pin;

/// Holds file contents under their digest.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores a spooled file durably and marks it as used now; whether it was not held already. Storing what is there costs no
    /// second copy.
    async fn put(&self, file: &Spooled) -> Result<bool, BlobError>;

    /// The size in bytes, if the blob is held and will not be swept within the hour.
    async fn stat(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError>;

    /// The size, and the bytes as a stream of pieces of at most 256 KiB; `None` if the blob is not held.
    async fn open(&self, sha256: &Sha256) -> Result<Option<(u64, BlobStream)>, BlobError>;

    /// Deletes blobs that were not used since the given time and are not pinned; returns how many.
    async fn sweep(&self, unused_since: Timestamp, pins: &dyn MediaIndex) -> Result<u64, BlobError>;

    /// Whether the store responds.
    async fn ready(&self) -> Result<(), BlobError>;
}

/// The bytes of a blob, in order.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// A complete upload, hashed while it arrived. A file is deleted by whoever made it.
#[derive(Clone, Debug)]
pub struct Spooled {
    /// The bytes.
    pub content: FileContent,
    /// Their digest.
    pub sha256: Sha256,
    /// Their number.
    pub size: u64,
}

/// Why the blob store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Away or faulty; try again later. Holds no secret.
    #[error("blob store: {0}")]
    Unavailable(String),
    /// No room.
    #[error("blob store is full: {0}")]
    Full(String),
}
