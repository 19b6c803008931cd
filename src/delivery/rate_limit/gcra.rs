//! The generic cell rate algorithm (GCRA): a token bucket that keeps one moment and needs no refill.

use crate::delivery::mono_time::MonoTime;
use std::time::Duration;

/// A steady rate with a tolerance for bursts.
#[derive(Clone, Debug)]
pub struct Gcra {
    /// The time that one token takes.
    interval: Duration,
    /// How much sooner than on average a send may come.
    tolerance: Duration,
    /// When everything taken so far is paid off: GCRA's theoretical arrival time.
    paid_off_at: MonoTime,
}

impl Gcra {
    /// How late a send may come without slowing the ones behind it: timers are that coarse.
    const TIMER_SLACK: Duration = Duration::from_millis(15);

    /// At most `rate` in **any** second, whatever the timers do: the interval is stretched by the slack, so this gives
    /// 98.5 % of the rate and one more never fits into the second. 0 means no limit.
    pub fn strict(rate: f64) -> Self {
        if rate <= 0.0 {
            return Self::unlimited();
        }
        // A hair more than the slack, so that `rate` intervals are longer than a second and the tolerance together.
        let stretched = Duration::from_secs(1) + Self::TIMER_SLACK + Duration::from_micros(100);
        Self { interval: stretched.div_f64(rate), tolerance: Self::TIMER_SLACK, paid_off_at: MonoTime::default() }
    }

    /// On average `rate` a second, up to `burst` at once. 0 means no limit.
    pub fn bursty(rate: f64, burst: u32) -> Self {
        if rate <= 0.0 {
            return Self::unlimited();
        }
        let interval = Duration::from_secs(1).div_f64(rate);
        Self { interval, tolerance: interval * burst.saturating_sub(1), paid_off_at: MonoTime::default() }
    }

    fn unlimited() -> Self {
        Self { interval: Duration::ZERO, tolerance: Duration::ZERO, paid_off_at: MonoTime::default() }
    }

    /// The time that one token takes.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// When a send may start that costs one token.
    pub fn ready_at(&self) -> MonoTime {
        self.paid_off_at - self.tolerance
    }

    /// When a send may start that costs so many tokens: when they are all there, or, if they are more than there can ever be,
    /// when nothing is left to pay off; the rest is paid off after it.
    pub fn ready_for(&self, tokens: u32) -> MonoTime {
        self.ready_at() + self.headroom(tokens)
    }

    /// How much later than one token so many are there.
    pub fn headroom(&self, tokens: u32) -> Duration {
        (self.interval * tokens.saturating_sub(1)).min(self.tolerance)
    }

    /// When a send may start that costs one token, once so many are taken.
    pub fn ready_after(&self, now: MonoTime, tokens: u32) -> MonoTime {
        self.paid_off_at.max(now) + self.interval * tokens - self.tolerance
    }

    /// Takes tokens; `stretch` (1 or more) makes each of them take longer.
    pub fn take(&mut self, now: MonoTime, tokens: u32, stretch: f64) {
        self.paid_off_at = self.paid_off_at.max(now) + (self.interval * tokens).mul_f64(stretch);
    }

    /// Gives tokens back that were taken for a send that never left.
    pub fn give_back(&mut self, tokens: u32) {
        self.paid_off_at = self.paid_off_at - self.interval * tokens;
    }

    /// Starts afresh at a moment, with no burst saved up.
    pub fn restart(&mut self, at: MonoTime) {
        self.paid_off_at = self.paid_off_at.max(at + self.tolerance);
    }

    /// Whether a new one would behave the same.
    pub fn is_idle(&self, now: MonoTime) -> bool {
        self.paid_off_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Sends as fast as allowed, each `late` after it could have been.
    fn drive(gcra: &mut Gcra, count: usize, late: Duration) -> Vec<MonoTime> {
        let mut now = MonoTime::after(ms(5_000));
        (0..count)
            .map(|_| {
                now = gcra.ready_at().max(now) + late;
                gcra.take(now, 1, 1.0);
                now
            })
            .collect()
    }

    #[test]
    fn a_strict_one_never_exceeds_its_rate_in_any_second_and_uses_97_percent_of_it() {
        for rate in [1.0, 5.0, 30.0, 1000.0] {
            for late in [ms(0), Duration::from_micros(700)] {
                let count = (rate * 20.0) as usize;
                let sent = drive(&mut Gcra::strict(rate), count, late);
                for (index, at) in sent.iter().enumerate() {
                    let within = sent[index..].iter().take_while(|other| **other - *at < ms(1_000)).count();
                    assert!(within <= rate as usize, "{within} in a second at {rate}/s");
                }
                let took = (*sent.last().unwrap() - sent[0]).as_secs_f64();
                let slowed = late > Duration::from_secs_f64(0.1 / rate);
                assert!((count - 1) as f64 / took >= 0.97 * rate || rate < 2.0 || slowed, "{rate}/s: {took}");
            }
        }
    }

    #[test]
    fn a_bursty_one_lets_a_few_through_and_then_keeps_the_average() {
        let sent = drive(&mut Gcra::bursty(1.0, 3), 10, Duration::ZERO);
        assert_eq!(sent[2] - sent[0], ms(0));
        assert_eq!(sent[9] - sent[0], ms(7_000));
    }

    #[test]
    fn what_costs_more_than_there_can_be_waits_for_all_and_is_paid_off_after() {
        for burst in [1, 3] {
            let mut gcra = Gcra::bursty(1.0, burst);
            let now = MonoTime::after(ms(5_000));
            assert!(gcra.ready_for(10) <= now);
            gcra.take(now, 10, 1.0);
            assert_eq!(gcra.ready_for(10) - now, ms(10_000), "all is paid off");
            assert_eq!(gcra.ready_for(1) - now, ms(11_000 - 1_000 * u64::from(burst)));
        }
        let mut gcra = Gcra::bursty(1.0, 3);
        assert_eq!([1, 2, 3, 10].map(|tokens| gcra.headroom(tokens)), [ms(0), ms(1_000), ms(2_000), ms(2_000)]);
        gcra.take(MonoTime::after(ms(5_000)), 2, 1.0);
        assert_eq!(gcra.ready_for(2), MonoTime::after(ms(6_000)), "one of two is still there");
    }

    #[test]
    fn zero_is_no_limit() {
        let mut gcra = Gcra::strict(0.0);
        (0..1000).for_each(|_| gcra.take(MonoTime::default(), 1, 1.0));
        assert_eq!(gcra.ready_at(), MonoTime::default());
    }
}
