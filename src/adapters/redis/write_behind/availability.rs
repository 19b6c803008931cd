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
    /// The first command that failed since Redis last took a change.
    away_since: Mutex<Option<Instant>>,
}

impl RedisAvailability {
    /// Fails while Redis is known to be away.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        match *self.away_since() {
            Some(_) => Err(LedgerError::Unavailable("Redis is away".to_owned())),
            None => Ok(()),
        }
    }

    /// Whether Redis has been away for longer than [`OUTAGE_GRACE`].
    pub(super) fn is_past_grace(&self) -> bool {
        self.away_since().is_some_and(|since| since.elapsed() >= OUTAGE_GRACE)
    }

    pub(super) fn mark_away(&self) {
        self.away_since().get_or_insert_with(Instant::now);
    }

    pub(super) fn mark_back(&self) {
        *self.away_since() = None;
    }

    fn away_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
