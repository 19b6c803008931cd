//! How many notifications clients have posted today.

use super::LedgerError;
use crate::domain::{ClientName, Timestamp};
use async_trait::async_trait;

/// Counts the notifications of clients by day (UTC), over all processes and restarts. Counts of days that are over may be
/// forgotten.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// Counts `cost` notifications of a client on a day, unless that would make more than `limit`.
    async fn take(&self, client: &ClientName, day: Day, cost: u32, limit: u64) -> Result<Taken, LedgerError>;

    /// Takes back what was counted and came to nothing.
    async fn give_back(&self, client: &ClientName, day: Day, cost: u32) -> Result<(), LedgerError>;
}

/// A day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    const SECONDS: i64 = 24 * 3600;

    /// The day of a moment.
    pub fn of(at: Timestamp) -> Self {
        Self(at.unix_millis() / 1000 / Self::SECONDS)
    }

    /// Its number, counted from the Unix epoch.
    pub fn number(self) -> i64 {
        self.0
    }

    /// How many seconds of it are left, 1 at least.
    pub fn seconds_left(self, at: Timestamp) -> u64 {
        let end = (self.0 + 1) * Self::SECONDS;
        u64::try_from(end - at.unix_millis() / 1000).unwrap_or(1).max(1)
    }
}

/// What came of counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether it was counted; if not, it would have been too many.
    pub counted: bool,
    /// How many are counted now.
    pub used: u64,
}
