//! Exponential backoff with jitter: how long to wait between tries of something that keeps failing.
//!
//! The pause doubles with each failure in a row, up to a maximum. Jitter shortens it at random, so that many who failed
//! together do not come back together.

use std::time::Duration;

/// How the pauses grow; a constant of whoever tries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackoffPolicy {
    first: Duration,
    max: Duration,
    min: Duration,
    jitter: f64,
}

impl BackoffPolicy {
    /// Pauses of `first`, twice that, four times that and so on, up to `max`; without jitter.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, min: Duration::ZERO, jitter: 0.0 }
    }

    /// Shortens each pause at random by up to this share of it: 1.0 is "full jitter", 0.5 leaves at least half.
    pub const fn with_jitter(self, share: f64) -> Self {
        Self { jitter: share, ..self }
    }

    /// Makes no pause shorter than this, whatever the jitter.
    pub const fn with_min(self, min: Duration) -> Self {
        Self { min, ..self }
    }

    /// The pause after so many failures in a row, counted from 1. `random` is in 0..1: at 0 the jitter shortens the
    /// pause most, at 1 not at all.
    pub fn pause(&self, failures: u32, random: f64) -> Duration {
        let doublings = failures.clamp(1, 32) - 1;
        let longest = self.first.saturating_mul(1 << doublings).min(self.max);
        longest.mul_f64(1.0 - self.jitter * (1.0 - random.clamp(0.0, 1.0))).max(self.min)
    }

    /// Starts counting failures.
    pub fn start(self) -> Backoff {
        Backoff { policy: self, failures: 0 }
    }
}

/// The failures of one thing that is tried until it succeeds.
#[derive(Debug)]
pub struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
}

impl Backoff {
    /// Counts a failure; returns the pause before the next try.
    pub fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.policy.pause(self.failures, fastrand::f64())
    }

    /// Counts a failure and waits until the next try.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(60));

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let pauses: Vec<_> = (1..=8).map(|failures| MINUTE.pause(failures, 1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(MINUTE.pause(u32::MAX, 1.0), Duration::from_secs(60));
        assert_eq!(MINUTE.pause(0, 1.0), Duration::from_secs(1));
    }

    #[test]
    fn jitter_shortens_by_its_share_and_never_below_the_minimum() {
        let full = MINUTE.with_jitter(1.0).with_min(Duration::from_millis(100));
        assert_eq!(full.pause(4, 0.5), Duration::from_secs(4));
        assert_eq!(full.pause(4, 0.0), Duration::from_millis(100));
        let half = MINUTE.with_jitter(0.5);
        assert_eq!([0.0, 0.5, 1.0].map(|random| half.pause(4, random).as_secs()), [4, 6, 8]);
        assert_eq!(MINUTE.pause(4, 0.0), Duration::from_secs(8), "without jitter it is exact");
    }

    #[test]
    fn a_backoff_counts_its_failures() {
        let mut backoff = MINUTE.start();
        assert_eq!([1, 2, 3].map(|_| backoff.next_pause().as_secs()), [1, 2, 4]);
    }
}
