//! What is known about files: the file_ids that bots have for them, and until when their bytes are needed.

use super::LedgerError;
use crate::domain::{MediaKind, Sha256, Timestamp};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;

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

/// File_ids by what they can be used for.
pub type FileIds = BTreeMap<FileKey, String>;

/// What a file_id can be used for: one bot, one kind, one content. The Bot API documentation: a file_id is unique for each
/// bot, and a file cannot be sent by it as another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// The bot's user id, the number in front of its token: outlives a token change and a renaming.
    pub bot_id: u64,
    /// What it was sent as.
    pub kind: MediaKind,
    /// The content: of a photo the digest of its bytes, else [`Call::identity`](crate::domain::Call::identity).
    pub sha256: Sha256,
}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.bot_id, self.kind.as_str(), self.sha256)
    }
}
