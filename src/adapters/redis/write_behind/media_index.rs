//! [`MediaIndex`] of the distributed engine, for which Redis may be away.

use super::ledger::WriteBehindLedger;
use super::ledger_change::{EntityKey, LedgerChange};
use crate::domain::{Sha256, Timestamp};
use crate::ports::{FileIds, FileKey, LedgerError, MediaIndex};
use async_trait::async_trait;

impl WriteBehindLedger {
    /// What changes say of a file that wait for Redis: its file_id, or that it has none.
    fn pending_file_id(&self, key: &FileKey) -> Option<Option<String>> {
        Some(match self.buffer.pending().latest(&EntityKey::File(*key))? {
            LedgerChange::KeepFileId(_, file_id) => Some(file_id.clone()),
            _ => None,
        })
    }

    /// Remembers what Redis has found of the files wanted, for the time without it. Returns what holds of them: what waits to
    /// be written is newer.
    pub(super) fn note_file_ids(&self, wanted: &[FileKey], mut found: FileIds) -> FileIds {
        for key in wanted {
            match self.pending_file_id(key) {
                Some(Some(file_id)) => _ = found.insert(*key, file_id),
                Some(None) => _ = found.remove(key),
                None => self.file_ids.set(*key, found.get(key).cloned()),
            }
        }
        found
    }

    /// The file_ids that are known without Redis.
    pub(super) fn known_file_ids(&self, wanted: &[FileKey]) -> FileIds {
        let known = |key| self.pending_file_id(key).unwrap_or_else(|| self.file_ids.get(key));
        wanted.iter().filter_map(|key| Some((*key, known(key)?))).collect()
    }
}

#[async_trait]
impl MediaIndex for WriteBehindLedger {
    /// While Redis is away: what was kept or asked for lately is known.
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError> {
        if let Some(pending) = self.pending_file_id(key) {
            return Ok(pending);
        }
        match self.ask(self.redis().file_id(key)).await {
            Ok(file_id) => {
                self.file_ids.set(*key, file_id.clone());
                Ok(file_id)
            }
            Err(error) => self.file_ids.get(key).map(Some).ok_or(error),
        }
    }

    async fn keep(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        self.file_ids.set(*key, Some(file_id.to_owned()));
        self.buffer.write(LedgerChange::KeepFileId(*key, file_id.to_owned())).await.map(drop)
    }

    async fn evict(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        self.file_ids.remove(key, file_id);
        self.buffer.write(LedgerChange::EvictFileId(*key, file_id.to_owned())).await.map(drop)
    }

    async fn pin(&self, sha256: &Sha256, until: Timestamp) -> Result<(), LedgerError> {
        self.buffer.write(LedgerChange::Pin(*sha256, until)).await.map(drop)
    }

    async fn is_pinned(&self, sha256: &Sha256, at: Timestamp) -> Result<bool, LedgerError> {
        let entity = EntityKey::Blob(*sha256);
        if matches!(self.buffer.pending().latest(&entity), Some(LedgerChange::Pin(_, until)) if *until > at) {
            return Ok(true);
        }
        self.buffer.ask_about(&entity, self.redis().is_pinned(sha256, at)).await
    }
}
