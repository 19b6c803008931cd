//! How fast a client may call: a token bucket of its own in each process. (A crate for it, such as `governor`, would bring ten
//! others along for what is one subtraction.)

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Measures the requests of one client against its rate.
pub struct RateMeter {
    /// Requests a second.
    rate: f64,
    /// How many there may be at once, within `window`.
    quota: u64,
    /// In seconds: 1, or the time for one request if the rate is below that.
    window: u64,
    /// How many are left, and when that was so.
    left: Mutex<(f64, Instant)>,
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How many there may be within the window.
    pub quota: u64,
    /// In seconds.
    pub window: u64,
    /// How many are left.
    pub remaining: u64,
    /// In how many seconds there is more; after a refusal, one more.
    pub reset: u64,
}

impl RateMeter {
    /// For so many requests a second; `None` for 0, which is no limit.
    pub fn new(rate: f64, now: Instant) -> Option<Self> {
        if rate <= 0.0 {
            return None;
        }
        let window = if rate < 1.0 { whole((1.0 / rate).ceil()) } else { 1 };
        let quota = whole((rate * window as f64).floor()).max(1);
        Some(Self { rate, quota, window, left: Mutex::new((quota as f64, now)) })
    }

    /// Takes one request; the error tells that there was none left.
    pub fn take(&self, now: Instant) -> Result<Reading, Reading> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(left.1).as_secs_f64();
        let available = (left.0 + since * self.rate).min(self.quota as f64);
        let taken = available >= 1.0;
        let rest = if taken { available - 1.0 } else { available };
        *left = (rest, now.max(left.1));
        let missing = if taken { self.quota as f64 - rest } else { 1.0 - rest };
        let reset = whole((missing / self.rate).ceil()).max(1);
        let reading = Reading { quota: self.quota, window: self.window, remaining: whole(rest.floor()), reset };
        if taken { Ok(reading) } else { Err(reading) }
    }
}

/// A small number without a fraction.
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_second_holds_its_quota_and_refills_evenly() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let meter = RateMeter::new(2.0, start).unwrap();
        assert_eq!(meter.take(at(0)), Ok(Reading { quota: 2, window: 1, remaining: 1, reset: 1 }));
        assert_eq!(meter.take(at(0)).map(|reading| reading.remaining), Ok(0));
        assert_eq!(meter.take(at(0)), Err(Reading { quota: 2, window: 1, remaining: 0, reset: 1 }));
        assert!(meter.take(at(499)).is_err());
        assert!(meter.take(at(500)).is_ok());
        assert!(meter.take(at(500)).is_err());
        // A long silence saves up one quota and no more.
        assert!(meter.take(at(60_000)).is_ok() && meter.take(at(60_000)).is_ok() && meter.take(at(60_000)).is_err());
    }

    #[test]
    fn a_rate_below_one_is_one_request_in_more_seconds() {
        let start = Instant::now();
        let meter = RateMeter::new(0.25, start).unwrap();
        assert_eq!(meter.take(start), Ok(Reading { quota: 1, window: 4, remaining: 0, reset: 4 }));
        assert_eq!(meter.take(start).map_err(|reading| reading.reset), Err(4));
        assert!(meter.take(start + Duration::from_secs(4)).is_ok());
        assert!(RateMeter::new(0.0, start).is_none());
    }
}
