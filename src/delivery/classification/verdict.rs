//! The classes of answers, and what follows from each.

use crate::domain::{AttemptOutcome, DeliveryGuarantee, Failure, FailureClass, Status};
use serde_json::Value;
use std::time::Duration;

/// The class of an answer, with what the class needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Telegram has the message.
    Sent {
        /// Its number (of the first, for an album).
        message_id: Option<i64>,
        /// The file_id of each message, of its largest size, whichever kind of file Telegram made of it.
        file_ids: Vec<Option<String>>,
    },
    /// Wait so long, then the same request.
    FloodWait(Duration),
    /// The chat has this id now.
    Migrated(i64),
    /// The file_id is dead: upload.
    FileIdRefused,
    /// Nothing was sent, for a reason that passes and lies with this request.
    Transient,
    /// Nothing was sent: Telegram could not be reached.
    Unreachable,
    /// Nothing was sent: the image could not be read from our own store.
    Unreadable,
    /// Nobody knows whether it was sent.
    Ambiguous,
    /// Refused by somebody who is not Telegram: a proxy or a firewall in between, whose answer is none of the Bot API's.
    Intercepted,
    /// The bot is refused, not the request.
    Configuration,
    /// Never going to work.
    Permanent(FailureClass),
}

/// What an answer says about Telegram as a whole, for the circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamHealth {
    /// It answers.
    Answering,
    /// It does not: connect errors, no answer, 5xx.
    Failing,
    /// It refuses the bot.
    BotRefused,
    /// Nothing: it was not asked.
    Unknown,
}

/// A verdict with Telegram's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// What the answer means.
    pub verdict: Verdict,
    /// Telegram's `error_code`, or the HTTP status of a failure without one.
    pub error_code: Option<u16>,
    /// Telegram's words, or what happened on the way to it.
    pub reason: Option<String>,
    /// Telegram's result as it came, of a success.
    pub result: Option<Value>,
}

impl Verdict {
    /// The name of this in records and metrics.
    pub fn outcome(&self) -> AttemptOutcome {
        match self {
            Self::Sent { .. } => AttemptOutcome::Sent,
            Self::FloodWait(_) => AttemptOutcome::FloodWait,
            Self::Migrated(_) => AttemptOutcome::Migrated,
            Self::FileIdRefused => AttemptOutcome::FileIdRefused,
            Self::Transient | Self::Unreachable | Self::Unreadable | Self::Intercepted => AttemptOutcome::Transient,
            Self::Ambiguous => AttemptOutcome::Ambiguous,
            Self::Configuration => AttemptOutcome::Configuration,
            Self::Permanent(_) => AttemptOutcome::Permanent,
        }
    }

    /// What this says about Telegram as a whole.
    pub fn upstream_health(&self) -> UpstreamHealth {
        match self {
            Self::Unreachable | Self::Ambiguous | Self::Intercepted => UpstreamHealth::Failing,
            Self::Configuration => UpstreamHealth::BotRefused,
            Self::Unreadable => UpstreamHealth::Unknown,
            _ => UpstreamHealth::Answering,
        }
    }

    /// The final status and the reason, if the notification is not tried again after this.
    pub fn final_failure(&self, guarantee: DeliveryGuarantee) -> Option<(Status, FailureClass)> {
        match self {
            Self::Permanent(class) => Some((Status::Failed, *class)),
            Self::Ambiguous if guarantee == DeliveryGuarantee::AtMostOnce => {
                Some((Status::Unknown, FailureClass::Ambiguous))
            }
            _ => None,
        }
    }

    /// The status of a notification that is tried again after this.
    pub fn retry_status(&self) -> Status {
        match self {
            Self::Configuration | Self::Intercepted => Status::Held,
            _ => Status::Retrying,
        }
    }

    /// Whether this counts towards `max_attempts`. What fails while Telegram is down for everybody does not.
    pub fn counts_as_attempt(&self, telegram_down: bool) -> bool {
        match self {
            Self::FileIdRefused => true,
            Self::Transient | Self::Ambiguous => !telegram_down,
            _ => false,
        }
    }

    /// The wait that Telegram asked for, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::FloodWait(wait) => Some(wait.as_secs()),
            _ => None,
        }
    }
}

impl Classification {
    /// The failure that this is, of the given class.
    pub fn failure(&self, class: FailureClass) -> Failure {
        Failure { class, error_code: self.error_code, description: self.reason.clone().unwrap_or_default() }
    }
}
