//! What became of a notification, as the ledger keeps it.

use super::ids::InvalidIdError;
use super::notification::Notification;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the ledger knows about a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The notification itself, as last accepted.
    pub notification: Notification,
    /// Where it stands.
    pub status: Status,
    /// What was tried, oldest first; the ledger keeps the last [`Record::ATTEMPTS_KEPT`].
    pub attempts: Vec<Attempt>,
    /// Telegram's number of the message, once sent.
    pub message_id: Option<i64>,
    /// The file_id under which this bot may send the same image again.
    pub file_id: Option<String>,
    /// Why it failed or is not known to have arrived.
    pub failure: Option<Failure>,
    /// When the next attempt is due, while `retrying`; of one that was refused, when its turn would
    /// have come.
    pub next_attempt_at: Option<Timestamp>,
    /// Telegram's result as it came, kept only for a caller that waits ([`Notification::reply_to`]); of an album always the
    /// numbers of its messages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<Value>,
    /// The last change.
    pub updated_at: Timestamp,
}

impl Record {
    /// How many attempts a record keeps at the most: an outage of a day must not grow it without bound.
    pub const ATTEMPTS_KEPT: usize = 50;

    /// Takes in what its courier has to say; of its attempts the last [`Record::ATTEMPTS_KEPT`] stay.
    pub fn apply(&mut self, update: RecordUpdate) {
        self.status = update.status;
        self.updated_at = update.at;
        self.attempts.extend(update.attempt);
        let surplus = self.attempts.len().saturating_sub(Self::ATTEMPTS_KEPT);
        self.attempts.drain(..surplus);
        self.message_id = update.message_id.or(self.message_id);
        self.file_id = update.file_id.or(self.file_id.take());
        self.failure = update.failure;
        self.next_attempt_at = update.next_attempt_at;
        self.result = update.result.or(self.result.take());
    }

    /// Whether it waits for another to be sent.
    pub fn is_waiting(&self) -> bool {
        self.notification.follows.is_some() && self.attempts.is_empty() && self.status == Status::Queued
    }

    /// Whether it has ended because the one that it follows was not sent, so that it waits again once that is tried again.
    pub fn ended_unfollowed(&self) -> bool {
        let is_ended = self.status == Status::Expired || self.status == Status::Cancelled && self.failure.is_some();
        self.notification.follows.is_some() && self.attempts.is_empty() && is_ended
    }

    /// The record of a notification that has just been accepted.
    pub fn accepted(notification: Notification) -> Self {
        Self {
            status: Status::accepted(&notification),
            updated_at: notification.accepted_at,
            notification,
            attempts: Vec::new(),
            message_id: None,
            file_id: None,
            failure: None,
            next_attempt_at: None,
            result: None,
        }
    }
}

/// Where a notification stands. The last six are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for its turn.
    Queued,
    /// Waits for its `send_at`.
    Scheduled,
    /// An attempt is under way.
    Sending,
    /// An attempt failed for a reason that passes.
    Retrying,
    /// Waits for the operator: the bot's token is refused.
    Held,
    /// Telegram has answered with the message.
    Sent,
    /// Telegram has refused it for good.
    Failed,
    /// Its `expires_at` passed before it could be sent.
    Expired,
    /// Its turn was too far away for the caller who waited for it, and who was told when to send it again (429).
    Refused,
    /// Taken back by the caller before it was sent.
    Cancelled,
    /// It may have arrived, and `at_most_once` forbids to try again.
    Unknown,
}

impl Status {
    /// Those of what is still to be sent.
    pub const OPEN: [Status; 5] = [Self::Queued, Self::Scheduled, Self::Sending, Self::Retrying, Self::Held];

    /// All statuses, in the order of a life.
    pub const ALL: [Status; 11] = [
        Self::Queued,
        Self::Scheduled,
        Self::Sending,
        Self::Retrying,
        Self::Held,
        Self::Sent,
        Self::Failed,
        Self::Expired,
        Self::Refused,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The status that a fresh notification has.
    pub fn accepted(notification: &Notification) -> Self {
        match notification.send_at {
            Some(at) if at > notification.accepted_at => Self::Scheduled,
            _ => Self::Queued,
        }
    }

    /// Whether nothing more will happen to it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Expired | Self::Refused | Self::Cancelled | Self::Unknown)
    }

    /// Whether the caller can still take it back: not final, and no request is under way.
    pub fn is_cancellable(self) -> bool {
        !self.is_final() && self != Self::Sending
    }

    /// Whether the caller may ask for it to be tried again.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Failed | Self::Expired | Self::Refused | Self::Cancelled | Self::Unknown)
    }

    /// The name in answers, listings and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Retrying => "retrying",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(InvalidIdError(
            "status is one of queued, scheduled, sending, retrying, held, sent, failed, expired, refused, cancelled, \
             unknown",
        ))
    }
}

/// One attempt at delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When the request began.
    pub at: Timestamp,
    /// How long until its answer, in milliseconds.
    pub duration_ms: u64,
    /// Whether the image's bytes travelled.
    pub uploaded: bool,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Telegram's `error_code`, if it answered with one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_code: Option<u16>,
    /// Telegram's own words, or what happened on the way to it; holds no secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The wait that Telegram asked for, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after: Option<u64>,
}

impl Attempt {
    /// An attempt whose end nobody saw: its courier crashed, or was cut off at the end of the grace period.
    pub fn interrupted(at: Timestamp) -> Self {
        Self {
            at,
            duration_ms: 0,
            uploaded: false,
            outcome: AttemptOutcome::Ambiguous,
            error_code: None,
            reason: Some("cut off before its end was seen; it may have been sent".to_owned()),
            retry_after: None,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// Telegram answered with the message.
    Sent,
    /// Telegram asked to wait.
    FloodWait,
    /// An error that passes; nothing was sent.
    Transient,
    /// Nobody knows whether it was sent: the answer never came.
    Ambiguous,
    /// The remembered file_id was refused; the image is uploaded again.
    FileIdRefused,
    /// The chat has moved; the same request goes to its new id.
    Migrated,
    /// The bot itself is refused.
    Configuration,
    /// Refused for good.
    Permanent,
}

impl AttemptOutcome {
    /// All outcomes.
    pub const ALL: [AttemptOutcome; 8] = [
        Self::Sent,
        Self::FloodWait,
        Self::Transient,
        Self::Ambiguous,
        Self::FileIdRefused,
        Self::Migrated,
        Self::Configuration,
        Self::Permanent,
    ];

    /// The name in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::FloodWait => "flood_wait",
            Self::Transient => "transient",
            Self::Ambiguous => "ambiguous",
            Self::FileIdRefused => "file_id_refused",
            Self::Migrated => "migrated",
            Self::Configuration => "configuration",
            Self::Permanent => "permanent",
        }
    }
}

/// Why a notification did not arrive, or is not known to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of reason.
    pub class: FailureClass,
    /// Telegram's `error_code`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_code: Option<u16>,
    /// Telegram's own words where it spoke, ours where it did not.
    pub description: String,
}

/// The kinds of reasons, named after what the caller would do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The chat cannot be reached: blocked, gone, no rights.
    Recipient,
    /// Telegram does not take this image.
    Content,
    /// Telegram does not take this request.
    Request,
    /// An error that usually passes did not within the attempts allowed.
    Exhausted,
    /// It may have arrived; `at_most_once` stops there.
    Ambiguous,
    /// It crashed its courier again and again.
    Buried,
}

impl FailureClass {
    /// All classes.
    pub const ALL: [FailureClass; 6] =
        [Self::Recipient, Self::Content, Self::Request, Self::Exhausted, Self::Ambiguous, Self::Buried];

    /// The name in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Content => "content",
            Self::Request => "request",
            Self::Exhausted => "exhausted",
            Self::Ambiguous => "ambiguous",
            Self::Buried => "buried",
        }
    }
}

impl std::str::FromStr for FailureClass {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "class is one of recipient, content, request, exhausted, ambiguous, buried";
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or(InvalidIdError(wrong))
    }
}

/// A change of a record by its courier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordUpdate {
    /// The new status.
    pub status: Status,
    /// When this was decided.
    pub at: Timestamp,
    /// The attempt that led here, if there was one.
    pub attempt: Option<Attempt>,
    /// See [`Record::message_id`]; `None` leaves it.
    pub message_id: Option<i64>,
    /// See [`Record::file_id`]; `None` leaves it.
    pub file_id: Option<String>,
    /// See [`Record::failure`]; replaces it.
    pub failure: Option<Failure>,
    /// See [`Record::next_attempt_at`]; replaces it.
    pub next_attempt_at: Option<Timestamp>,
    /// See [`Record::result`]; `None` leaves it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<Value>,
}

impl RecordUpdate {
    /// The end of one whose end was never heard of: a day after it expired no copy of it can be under way any more.
    pub fn lost(at: Timestamp) -> Self {
        let description = "its end was lost, long after it expired; it may have been sent".to_owned();
        let failure = Some(Failure { class: FailureClass::Ambiguous, error_code: None, description });
        Self { failure, ..Self::of(Status::Unknown, at) }
    }

    /// The end of one that follows another, which has ended unsent.
    pub fn not_followed(at: Timestamp) -> Self {
        let description = "the message that it follows was not sent".to_owned();
        let failure = Some(Failure { class: FailureClass::Request, error_code: None, description });
        Self { failure, ..Self::of(Status::Cancelled, at) }
    }

    /// A change of status alone.
    pub fn of(status: Status, at: Timestamp) -> Self {
        Self {
            status,
            at,
            attempt: None,
            message_id: None,
            file_id: None,
            failure: None,
            next_attempt_at: None,
            result: None,
        }
    }
}
