//! What happens to a notification after an attempt.

use crate::domain::ChatId;
use std::time::Duration;

/// What happens to a notification after an attempt: said by the attempt, carried out by courier and scheduler.
#[derive(Clone, Debug, PartialEq)]
pub enum NextStep {
    /// Nothing: it is final, its outcome recorded and its delivery acked.
    Done,
    /// Nothing here: it was cancelled, or its bot changed owners and the queue redelivers it to the new one. Only the
    /// courier says so.
    Abandon,
    /// Again after this pause. A part of ours was away, so nothing was sent: its rate limit tokens go to others and no
    /// attempt is counted.
    Postpone(Duration),
    /// Again after this pause; until then its chat waits too, to keep the order.
    Retry(Duration),
    /// Again after the wait that Telegram asked for, which its whole chat obeys.
    FloodWait(Duration),
    /// Again, at the id to which the chat has migrated; everything else for the chat goes there too.
    Migrate(ChatId),
}

impl NextStep {
    /// How long until it is tried again, where that can be told to whoever asks.
    pub fn retry_pause(&self) -> Option<Duration> {
        match self {
            Self::Retry(pause) | Self::FloodWait(pause) => Some(*pause),
            Self::Done | Self::Abandon | Self::Postpone(_) | Self::Migrate(_) => None,
        }
    }
}
