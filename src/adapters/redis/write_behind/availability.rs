//! Whether Redis answers, and since when it does not.

use crate::ports::LedgerError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long Redis must have been away without a break before attempts begin without asking it: a caller who was told
/// "cancelled" is not proved wrong by a lost connection or a restart.
const OUTAGE_GRACE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct RedisAvailability {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first command that failed since Redis last took a change, and why.
    away_since: Option<(Instant, String)>,
    presence: Presence,
}

/// The number of a time in which Redis is there. What was asked in an earlier one says nothing about this one: its
/// time-outs end up to two seconds after Redis is back.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Presence(u64);

impl RedisAvailability {
    /// Fails while Redis is known to be away.
    pub(super) fn check(&self) -> Result<Presence, LedgerError> {
        let state = self.state();
        match &state.away_since {
            Some((_, reason)) => Err(LedgerError::Unavailable(format!("Redis is away ({reason})"))),
            None => Ok(state.presence),
        }
    }

    /// Whether Redis has been away for longer than [`OUTAGE_GRACE`].
    pub(super) fn is_past_grace(&self) -> bool {
        self.state().away_since.as_ref().is_some_and(|(since, _)| since.elapsed() >= OUTAGE_GRACE)
    }

    /// Notes that a command failed which was sent in that presence. Returns whether Redis counts as away only since now.
    pub(super) fn mark_away(&self, asked: Presence, error: &LedgerError) -> bool {
        let mut state = self.state();
        let is_news = state.away_since.is_none() && state.presence == asked;
        if is_news {
            let LedgerError::Unavailable(reason) = error;
            state.away_since = Some((Instant::now(), reason.clone()));
        }
        is_news
    }

    /// Notes that Redis took a change.
    pub(super) fn mark_back(&self) -> Presence {
        let mut state = self.state();
        if state.away_since.take().is_some() {
            state.presence.0 += 1;
        }
        state.presence
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
