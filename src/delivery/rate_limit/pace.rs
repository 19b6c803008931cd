//! How fast one goes after having been too fast: additive increase, multiplicative decrease (AIMD), as TCP does it.

use crate::delivery::mono_time::MonoTime;
use std::time::Duration;

/// No pace is slower than this part of the configured one.
const MIN_PACE: f64 = 1.0 / 16.0;

/// A part of the configured rate, 1 unless Telegram has asked for patience.
#[derive(Clone, Debug)]
pub struct Pace {
    at_least: f64,
    since: MonoTime,
    decrease: f64,
    recovery: Duration,
}

impl Pace {
    /// One that is multiplied by `decrease` at each flood wait, and grows by 1 in each `recovery`.
    pub fn new(decrease: f64, recovery: Duration) -> Self {
        Self { at_least: 1.0, since: MonoTime::default(), decrease, recovery }
    }

    /// The part of the configured rate that is kept now, at most 1.
    pub fn at(&self, now: MonoTime) -> f64 {
        if self.at_least >= 1.0 {
            return 1.0;
        }
        (self.at_least + (now - self.since).as_secs_f64() / self.recovery.as_secs_f64()).min(1.0)
    }

    /// Slows down, for a flood wait that ends at a moment; the pace grows again from then on.
    pub fn slow_down(&mut self, now: MonoTime, until: MonoTime) {
        self.at_least = (self.at(now) * self.decrease).max(MIN_PACE);
        self.since = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_divided_at_each_flood_wait_and_grows_evenly() {
        let at = |seconds| MonoTime::after(Duration::from_secs(seconds));
        let mut pace = Pace::new(0.5, Duration::from_secs(100));
        assert_eq!(pace.at(at(10)), 1.0);
        pace.slow_down(at(10), at(20));
        assert_eq!([at(15), at(20), at(30), at(70), at(90)].map(|now| pace.at(now)), [0.5, 0.5, 0.6, 1.0, 1.0]);
        pace.slow_down(at(30), at(30));
        assert!((pace.at(at(30)) - 0.3).abs() < 1e-9);
        (0..20).for_each(|_| pace.slow_down(at(30), at(30)));
        assert_eq!(pace.at(at(30)), MIN_PACE);
    }
}
