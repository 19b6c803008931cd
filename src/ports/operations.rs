//! Operations on many notifications, and who works on which.

use super::{Idempotency, LedgerError};
use crate::domain::{Operation, OperationId, Timestamp};
use async_trait::async_trait;
use std::time::Duration;

/// Keeps operations until they are swept. One is worked on by one holder at a time, which has it on a lease, so that another goes on
/// with it when the holder has died.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Keeps a new operation, durably; with a key that was used before, nothing new.
    async fn create(&self, operation: &Operation, key: Option<&Idempotency>) -> Result<Created, LedgerError>;

    /// An operation.
    async fn get(&self, id: OperationId) -> Result<Option<Operation>, LedgerError>;

    /// The newest operations, newest first, at most so many.
    async fn list(&self, limit: usize) -> Result<Vec<Operation>, LedgerError>;

    /// Takes the oldest that is not finished and that nobody else holds, for so long.
    async fn take(&self, holder: &str, lease: Duration) -> Result<Option<Operation>, LedgerError>;

    /// Writes how far it is, durably, and holds it for so long from now on; one that is finished is let go. `false` if somebody
    /// else holds it by now: then nothing is written.
    async fn save(&self, operation: &Operation, holder: &str, lease: Duration) -> Result<bool, LedgerError>;

    /// Forgets those that were finished before a moment. Returns how many.
    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError>;
}

/// What came of a creation.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// It is kept.
    New,
    /// The same request has made this one before.
    Earlier(Box<Operation>),
    /// The key was used with another request.
    KeyReused,
}
