//! The way back: how a caller that waits gets to hear of the end.

use crate::domain::{Failure, NotificationId, Record, RecordUpdate, Status, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

/// Carries outcomes from the courier to the process that holds the caller's request. Quick, not durable: the ledger has
/// the same outcome, for when this one is lost.
#[async_trait]
pub trait OutcomeNotifier: Send + Sync {
    /// Begins to listen for the end of a notification that is about to be accepted. Dropping the receiver is enough to
    /// stop.
    fn listen(&self, id: NotificationId) -> OutcomeWaiter;

    /// Tells whoever listens at an address. Lost if nobody does (any more).
    async fn notify(&self, address: &str, id: NotificationId, outcome: &Outcome);
}

/// A caller that listens.
#[derive(Debug)]
pub struct OutcomeWaiter {
    /// What to put into [`crate::domain::Notification::reply_to`].
    pub address: String,
    /// Where the outcome comes; closed when it cannot come any more. The ledger knows then.
    pub outcome: oneshot::Receiver<Outcome>,
}

/// How a notification ended, for a caller that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its final status.
    pub status: Status,
    /// Telegram's result as it came, of one that was sent.
    pub result: Option<Value>,
    /// Why it was not sent; also of one that is `sent` because Telegram has refused it as already done.
    pub failure: Option<Failure>,
    /// When its turn would have come, of one that was given up for its caller's patience.
    pub turn: Option<Timestamp>,
}

impl Outcome {
    /// What a update says.
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
