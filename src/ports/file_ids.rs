//! File_ids, and what they can be used for.

use crate::domain::{MediaKind, Sha256};
use std::collections::BTreeMap;
use std::fmt;

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
