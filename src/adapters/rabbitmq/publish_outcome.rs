//! What the broker did with what was published.

/// What the broker did with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublishOutcome {
    /// On stable storage.
    Stored,
    /// Nowhere: no queue takes it.
    Unroutable,
    /// Nowhere: the queue is full.
    Refused,
    /// Not known: no confirm has come, for this reason.
    Unconfirmed(String),
}
