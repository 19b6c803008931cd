//! Monotonic time, passed in as an argument everywhere: hours of traffic run in a test in milliseconds, and a jump of
//! the wall clock moves no rate limit.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on a courier's own monotonic clock, in microseconds since the courier started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(u64);

impl MonoTime {
    /// So long after the start.
    pub fn after(span: Duration) -> Self {
        Self(micros(span))
    }
}

impl Add<Duration> for MonoTime {
    type Output = MonoTime;

    fn add(self, span: Duration) -> MonoTime {
        MonoTime(self.0.saturating_add(micros(span)))
    }
}

impl Sub<Duration> for MonoTime {
    type Output = MonoTime;

    fn sub(self, span: Duration) -> MonoTime {
        MonoTime(self.0.saturating_sub(micros(span)))
    }
}

impl Sub for MonoTime {
    type Output = Duration;

    /// The span between two moments; zero if the second is later.
    fn sub(self, earlier: MonoTime) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
