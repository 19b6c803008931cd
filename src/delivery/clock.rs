//! Monotonic moments, passed in everywhere: hours of traffic run in a test in milliseconds, and a jump of the wall
//! clock moves no limit.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on a courier's own clock, in microseconds since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// So long after the start.
    pub fn after(span: Duration) -> Self {
        Self(micros(span))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(micros(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;

    fn sub(self, span: Duration) -> Moment {
        Moment(self.0.saturating_sub(micros(span)))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// The span between two moments, zero if the second is later.
    fn sub(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
