//! The journal, in which outcomes are safe while the ledger is away.

use super::QueueError;
use crate::domain::{Notification, RecordUpdate};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// How a notification ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The notification as it was when it ended.
    pub notification: Notification,
    /// Its final status and the reason.
    #[serde(rename = "settlement")]
    pub update: RecordUpdate,
}

/// Keeps outcomes that the ledger cannot take now. A notification may leave the queue once its outcome is in the ledger
/// or here; in memory alone it would die with the process.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores an outcome durably, until one of the processes has applied it to the ledger.
    async fn append(&self, outcome: &JournalEntry) -> Result<(), QueueError>;
}
