//! What is known about files: the file_ids that bots have for them, and until when their bytes are needed.

use super::{FileKey, LedgerError};
use crate::domain::{Sha256, Timestamp};
use async_trait::async_trait;

/// Remembers file_ids, so that each bot uploads the same file once, and pins. A lost entry costs one more upload, never a
/// delivery.
#[async_trait]
pub trait MediaIndex: Send + Sync {
    /// The file_id, if this bot has one for these bytes sent as this kind.
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError>;

    /// Remembers a file_id, in place of any earlier one.
    async fn keep(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError>;

    /// Forgets a file_id that Telegram has refused, unless another has taken its place.
    async fn evict(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError>;

    /// Keeps the blob from being swept until the given time at least; never shortens an earlier pin.
    async fn pin(&self, sha256: &Sha256, until: Timestamp) -> Result<(), LedgerError>;

    /// Whether the blob is pinned at the given time.
    async fn is_pinned(&self, sha256: &Sha256, at: Timestamp) -> Result<bool, LedgerError>;
}
