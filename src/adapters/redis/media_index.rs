//! The upload-once index and the pins.

use super::ledger::{FILE_ID_TTL, RedisLedger};
use super::scripts;
use crate::domain::{Sha256, Timestamp};
use crate::ports::{FileKey, LedgerError, MediaIndex};
use async_trait::async_trait;
use deadpool_redis::redis;

impl RedisLedger {
    pub(super) fn file_id_key(&self, key: &FileKey) -> String {
        self.key("f", key)
    }
}

#[async_trait]
impl MediaIndex for RedisLedger {
    async fn file_id(&self, key: &FileKey) -> Result<Option<String>, LedgerError> {
        let mut command = redis::cmd("GETEX");
        self.connections.command(command.arg(self.file_id_key(key)).arg("EX").arg(FILE_ID_TTL.as_secs())).await
    }

    async fn keep(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        let mut command = redis::cmd("SET");
        self.connections
            .command(command.arg(self.file_id_key(key)).arg(file_id).arg("EX").arg(FILE_ID_TTL.as_secs()))
            .await
    }

    async fn evict(&self, key: &FileKey, file_id: &str) -> Result<(), LedgerError> {
        let mut call = scripts::EVICT.key(self.file_id_key(key));
        self.connections.script::<u64>(call.arg(file_id)).await.map(drop)
    }

    async fn pin(&self, sha256: &Sha256, until: Timestamp) -> Result<(), LedgerError> {
        let mut command = redis::cmd("ZADD");
        command.arg(self.pins()).arg("GT").arg(until.unix_millis()).arg(sha256.to_string());
        self.connections.command::<u64>(&command).await.map(drop)
    }

    async fn is_pinned(&self, sha256: &Sha256, at: Timestamp) -> Result<bool, LedgerError> {
        let mut command = redis::cmd("ZSCORE");
        let until = self.connections.command::<Option<f64>>(command.arg(self.pins()).arg(sha256.to_string())).await?;
        // Milliseconds until the year 9999 are below 2^53: exact.
        Ok(until.is_some_and(|until| until > at.unix_millis() as f64))
    }
}
