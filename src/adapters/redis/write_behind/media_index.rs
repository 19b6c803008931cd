//! [`MediaIndex`] of the distributed engine, for which Redis may be away.

use super::ledger::WriteBehindLedger;
use super::ledger_change::{EntityKey, LedgerChange};
use crate::domain::{Sha256, Timestamp};
use crate::ports::{FileKey, LedgerError, MediaIndex};
use async_trait::async_trait;

#[async_trait]
impl MediaIndex for WriteBehindLedger {
    /// While Redis is away: what was kept or asked for lately is known.
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError> {
        match self.buffer.pending().latest(&EntityKey::File(*key)) {
            Some(LedgerChange::KeepFileId(_, file_id)) => return Ok(Some(file_id.clone())),
            Some(_) => return Ok(None),
            None => {}
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
