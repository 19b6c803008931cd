//! Something that is done to many notifications, in the background.

use super::client_name::ClientName;
use super::filter::Filter;
use super::ids::{InvalidIdError, NotificationId};
use super::record::Status;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The id of an operation: a UUID of version 7, so ids sort in the order that operations were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(NotificationId);

impl OperationId {
    /// A fresh id.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        Self(NotificationId::new())
    }
}

impl From<OperationId> for NotificationId {
    fn from(id: OperationId) -> Self {
        id.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OperationId {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        text.parse().map(Self).map_err(|_| InvalidIdError("an operation id is a UUID"))
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// They are taken back.
    Cancel,
    /// They are tried again.
    Retry,
}

impl OperationKind {
    /// The name in answers and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
        }
    }

    /// Whether it can be done to one of this status.
    pub fn is_possible(self, status: Status) -> bool {
        match self {
            Self::Cancel => status.is_cancellable(),
            Self::Retry => status.is_retryable(),
        }
    }

    /// Whether it is done to one of this status if no statuses are named. What was cancelled or refused its sender has given up or
    /// sent again, and what is unknown may have arrived: these are tried again only where they are named.
    pub fn is_meant(self, status: Status) -> bool {
        match self {
            Self::Cancel => status.is_cancellable(),
            Self::Retry => matches!(status, Status::Failed | Status::Expired),
        }
    }
}

/// An operation and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What is done.
    pub kind: OperationKind,
    /// Who asked for it, if that was a client with a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// To which, of those that were accepted, and for a retry have ended, before it was made.
    pub filter: Filter,
    /// Whether a retry leaves out what its sender has sent again since.
    #[serde(default)]
    pub skip_resent: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

/// How far an operation is. What it found is written down before it is done, and again when it is done, so that whoever goes on after
/// a crash knows which ones to look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The records from this id on have been looked through.
    pub before: Option<NotificationId>,
    /// All have been.
    pub is_searched: bool,
    /// What was found last and may not be done yet.
    pub pending: Vec<NotificationId>,
    /// How many were found.
    pub matched: u64,
    /// To how many of them it was done, by it or by somebody else since it was made.
    pub done: u64,
    /// For how many it was too late, or not needed any more.
    pub skipped: u64,
    /// How many of those because their sender has sent them again.
    pub resent: u64,
    /// For how many it is not possible: the bot or an image is gone, or what they follow was not sent.
    pub failed: u64,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
}
