//! The last step of intake: makes a notification durable, once per idempotency key (deduplication).

use crate::domain::{Notification, NotificationId, Record, Status, Timestamp};
use async_trait::async_trait;
use std::time::Duration;

/// Accepts notifications. Embedded: key, status, pin and queue row in one transaction. Distributed: reserve the key, pin,
/// publish and await the publisher confirm, then record; a crash between the steps is repaired by the caller's retry.
///
/// Contract: when `accept` returns `Ok`, the notification is on stable storage and will reach a courier. When it
/// returns an error, it may be retried with the same key and is delivered once.
#[async_trait]
pub trait Acceptor: Send + Sync {
    /// Accepts a notification, or returns what the same key got first. Pins the blobs it needs until it expires.
    async fn accept(&self, submission: &Submission) -> Result<Accepted, AcceptError>;

    /// What a key got first, if it was used before; accepts nothing. For the repetition of a request that would be rejected
    /// by now, since it has expired, say. [`AcceptError::KeyReused`] if the key was used with another request.
    async fn recall(&self, key: &Idempotency) -> Result<Option<Accepted>, AcceptError>;

    /// Accepts a finished notification again under its own id, with the fresh times and zero attempts that the given one
    /// carries. [`Resubmitted::Refused`] unless the record's status [`Status::is_retryable`].
    async fn resubmit(&self, notification: &Notification) -> Result<Resubmitted, AcceptError>;

    /// Goes on with a resubmission that may have been cut off: if its record is open with nothing on its way, accepts the notification as
    /// [`Acceptor::resubmit`] does. [`Resubmitted::Refused`] if it is on its way, or has ended since: then it is not for this to try it
    /// once more.
    async fn resume(&self, notification: &Notification) -> Result<Resubmitted, AcceptError>;

    /// Whether `accept` could succeed now; the error says which part is away.
    async fn ready(&self) -> Result<(), AcceptError>;
}

/// What is to be accepted.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The notification.
    pub notification: Notification,
    /// The caller's idempotency key, if it sent one.
    pub idempotency: Option<Idempotency>,
}

/// A caller's `Idempotency-Key` and the request that it was sent with. Kept for [`Idempotency::RETENTION`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, made unique per API client by its caller.
    pub key: String,
    /// SHA-256 of the request as understood, lower-case hexadecimal.
    pub fingerprint: String,
}

impl Idempotency {
    /// How long a key is remembered.
    pub const RETENTION: Duration = Duration::from_secs(24 * 3600);
}

/// The result of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The id: the submitted one, or the one that the same key got first.
    pub id: NotificationId,
    /// The status at the time of acceptance: queued or scheduled.
    pub status: Status,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether this is the replay of what the same key got first.
    pub replayed: bool,
}

/// The result of a resubmission.
#[derive(Clone, Debug, PartialEq)]
pub enum Resubmitted {
    /// It is in the queue again.
    Done(Box<Record>),
    /// Its status is not one that can be retried.
    Refused(Status),
    /// There is no such notification.
    NotFound,
}

/// Why it is not known to be accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The key was used with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The queue may have taken it: no confirm has come. Sent again with the same key, it is delivered once.
    #[error("not confirmed: {0}")]
    Unconfirmed(String),
    /// A needed part is away and nothing was accepted; try again later.
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
