//! A change that could not be written yet, and what it is about.

use crate::domain::{Notification, NotificationId, RecordUpdate, Sha256, Status, Timestamp};
use crate::ports::FileKey;

/// A change that waits for Redis. Writing one twice does what writing it once does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LedgerChange {
    /// The record of an accepted notification.
    Create(Notification),
    /// The mark of an attempt, written late. `interrupted`: it follows one whose end was never written, which the
    /// ledger counts when it finds both.
    Begin { notification: Notification, at: Timestamp, interrupted: bool },
    /// What an attempt led to.
    Settle(Notification, Box<RecordUpdate>),
    /// A file_id, kept.
    KeepFileId(FileKey, String),
    /// A file_id, refused.
    EvictFileId(FileKey, String),
    /// A blob that is needed.
    Pin(Sha256, Timestamp),
    /// An idempotency key whose request is accepted.
    MarkKeyAccepted(String),
}

/// What a change is about. Changes of one entity are written in order, those of several side by side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum EntityKey {
    Notification(NotificationId),
    File(FileKey),
    Blob(Sha256),
    IdempotencyKey(String),
}

impl LedgerChange {
    pub(super) fn entity(&self) -> EntityKey {
        match self {
            Self::Create(notification) | Self::Begin { notification, .. } | Self::Settle(notification, _) => {
                EntityKey::Notification(notification.id)
            }
            Self::KeepFileId(key, _) | Self::EvictFileId(key, _) => EntityKey::File(*key),
            Self::Pin(sha256, _) => EntityKey::Blob(*sha256),
            Self::MarkKeyAccepted(key) => EntityKey::IdempotencyKey(key.clone()),
        }
    }

    /// When its notification was accepted, and the status that it leads to.
    pub(super) fn status(&self) -> Option<(Timestamp, Status)> {
        match self {
            Self::Create(notification) => Some((notification.accepted_at, Status::accepted(notification))),
            Self::Begin { notification, .. } => Some((notification.accepted_at, Status::Sending)),
            Self::Settle(notification, update) => Some((notification.accepted_at, update.status)),
            _ => None,
        }
    }

    /// Whether the next change, written alone, does what both do: a begin and an update create what is missing.
    pub(super) fn is_covered_by(&self, next: &LedgerChange) -> bool {
        match (self, next) {
            (Self::Create(_), Self::Begin { .. } | Self::Settle(..)) => true,
            (Self::Begin { interrupted, .. }, Self::Settle(..)) => !interrupted,
            (Self::Begin { .. }, Self::Begin { .. }) => false,
            (Self::Pin(_, until), Self::Pin(_, later)) => until <= later,
            (same, next) => same == next,
        }
    }
}
