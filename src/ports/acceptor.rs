//! The last step of intake: from here on a notification is ours.

use crate::domain::{Notification, NotificationId, Record, Status, Timestamp};
use async_trait::async_trait;

/// Takes notifications in. Embedded: key, status, pin and queue row in one transaction. Distributed: reserve the key,
/// pin, publish and await the confirm, then record; a crash between the steps is repaired by the caller's retry.
///
/// Contract: when `accept` returns `Ok`, the notification is on stable storage and will reach a courier. When it
/// returns an error, it may be retried with the same key and is delivered once.
#[async_trait]
pub trait Acceptor: Send + Sync {
    /// Takes one in, or gives the earlier answer of the same key. Pins the blobs it needs until it expires.
    async fn accept(&self, submission: &Submission) -> Result<Accepted, AcceptError>;

    /// The earlier answer of a key, if it has one; takes nothing in. For requests that would be refused by now for what
    /// has passed since. [`AcceptError::KeyReused`] if the key was used with another request.
    async fn recall(&self, key: &Idempotency) -> Result<Option<Accepted>, AcceptError>;

    /// Takes a finished notification in again under its own id, with the fresh times and zero attempts that the given
    /// one carries. Refused unless the record's status [`Status::is_retryable`].
    async fn resubmit(&self, notification: &Notification) -> Result<Resubmitted, AcceptError>;

    /// Whether `accept` could succeed now; the error says what is away.
    async fn ready(&self) -> Result<(), AcceptError>;
}

/// What is handed in.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The notification.
    pub notification: Notification,
    /// The caller's idempotency key, if it sent one.
    pub idempotency: Option<Idempotency>,
}

/// A caller's `Idempotency-Key` with what it was sent with. Kept for [`Idempotency::RETENTION`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, made unique per API client by its caller.
    pub key: String,
    /// SHA-256 of the request as understood, lower-case hexadecimal.
    pub fingerprint: String,
}

impl Idempotency {
    /// How long a key is remembered.
    pub const RETENTION: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
}

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The id: the submitted one, or the one that the same key got first.
    pub id: NotificationId,
    /// The status at the time of acceptance: queued or scheduled.
    pub status: Status,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether this is the earlier answer of the same key.
    pub replayed: bool,
}

/// The answer to a resubmission.
#[derive(Clone, Debug, PartialEq)]
pub enum Resubmitted {
    /// It is on its way again.
    Done(Box<Record>),
    /// It is not in a state from which it could be tried again.
    Refused(Status),
    /// There is no such notification.
    NotFound,
}

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The key was used with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// A needed part is away; try again later.
    #[error("{part} is not available: {reason}")]
    Unavailable {
        /// `queue`, `ledger` or `blobs`.
        part: &'static str,
        /// What happened, free of secrets.
        reason: String,
    },
    /// The disk or the queue is full.
    #[error("no room: {0}")]
    Full(String),
}
