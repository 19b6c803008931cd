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
    /// Again after this pause. No attempt is counted: the answer was not Telegram's, or it is not its turn yet.
    Postpone(Duration),
    /// Again when a part of ours is back that is away, or after this pause. Nothing was sent, and no attempt is counted.
    AwaitPart(Duration),
    /// Again when its bot or its chat is paused no more, which the scheduler is told, or after this pause: it may know first.
    Paused(Duration),
    /// Again after this wait, which its whole chat obeys: the ledger knows that Telegram would refuse it before.
    TooSoon(Duration),
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
            Self::Done
            | Self::Abandon
            | Self::Postpone(_)
            | Self::AwaitPart(_)
            | Self::Paused(_)
            | Self::TooSoon(_)
            | Self::Migrate(_) => None,
        }
    }
}
