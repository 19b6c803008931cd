//! Tells a caller that waits how its notification ended.

use crate::domain::{Failure, NotificationId, Record, RecordUpdate, Status, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

/// Carries outcomes from the courier to the process that holds the caller's request. Quick, not durable: the ledger has
/// the same outcome, for when this one is lost.
#[async_trait]
pub trait OutcomeNotifier: Send + Sync {
    /// Begins to wait for the outcome of a notification that is about to be accepted. Dropping the waiter is enough to stop.
    fn listen(&self, id: NotificationId) -> OutcomeWaiter;

    /// Sends an outcome to the waiter at an address; it is lost if there is none (any more).
    async fn notify(&self, address: &str, id: NotificationId, outcome: &Outcome);
}

/// Waits for one outcome.
#[derive(Debug)]
pub struct OutcomeWaiter {
    /// What to put into [`crate::domain::Notification::reply_to`].
    pub address: String,
    /// Receives the outcome; closed when it cannot come any more, and only the ledger can tell.
    pub outcome: oneshot::Receiver<Outcome>,
}

/// How a notification ended, for a caller that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its final status.
    pub status: Status,
    /// Telegram's result as it came, of one that was sent.
    pub result: Option<Value>,
    /// Why it was not sent; also of one that counts as `sent` because Telegram has refused it as done already.
    pub failure: Option<Failure>,
    /// When its turn would have come, of one that could not be sent while its caller waits; becomes `retry_after`.
    pub turn: Option<Timestamp>,
}

impl Outcome {
    /// The outcome that an update of the record stands for.
    pub fn of(update: &RecordUpdate) -> Self {
        Self {
            status: update.status,
            result: update.result.clone(),
            failure: update.failure.clone(),
            turn: update.next_attempt_at,
        }
    }
}

impl From<Record> for Outcome {
    fn from(record: Record) -> Self {
        let Record { status, result, failure, next_attempt_at, .. } = record;
        Self { status, result, failure, turn: next_attempt_at }
    }
}
