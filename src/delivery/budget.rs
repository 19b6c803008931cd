//! How much may be sent when: pure counters over passed-in moments.

use super::clock::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// A steady pace with a tolerance: the generic cell rate algorithm. Keeps one moment, needs no refill.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: Duration,
    tolerance: Duration,
    due: Moment,
}

impl Pace {
    /// How late a send may come without slowing the ones behind it: timers are that coarse.
    const SLACK: Duration = Duration::from_millis(15);

    /// At most `rate` in **any** second, whatever the timers do: the interval is stretched by the slack, so the pace is
    /// 98.5 % of the rate and one more never fits into the window. 0 means no limit.
    pub fn strict(rate: f64) -> Self {
        let second = Duration::from_secs(1);
        if rate <= 0.0 {
            return Self::unlimited();
        }
        // A hair more than the slack, so that `rate` intervals are longer than a second and the tolerance together.
        let stretched = second + Self::SLACK + Duration::from_micros(100);
        Self { interval: stretched.div_f64(rate), tolerance: Self::SLACK, due: Moment::default() }
    }

    /// On average `rate` a second, up to `burst` at once. 0 means no limit.
    pub fn bursty(rate: f64, burst: u32) -> Self {
        if rate <= 0.0 {
            return Self::unlimited();
        }
        let interval = Duration::from_secs(1).div_f64(rate);
        Self { interval, tolerance: interval * burst.saturating_sub(1), due: Moment::default() }
    }

    fn unlimited() -> Self {
        Self { interval: Duration::ZERO, tolerance: Duration::ZERO, due: Moment::default() }
    }

    /// The time that one token takes.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// When the next send may start. A send that costs several tokens starts when one is there and is paid off after.
    pub fn ready_at(&self) -> Moment {
        self.due - self.tolerance
    }

    /// Takes tokens; `stretch` (1 or more) slows the pace for them.
    pub fn take(&mut self, now: Moment, tokens: u32, stretch: f64) {
        let start = if self.due > now { self.due } else { now };
        self.due = start + (self.interval * tokens).mul_f64(stretch);
    }

    /// Gives tokens back that were taken for a send that never left.
    pub fn give_back(&mut self, tokens: u32) {
        self.due = self.due - self.interval * tokens;
    }

    /// Starts again at a moment, with no burst saved up.
    pub fn restart(&mut self, at: Moment) {
        self.due = self.due.max(at + self.tolerance);
    }

    /// Whether it remembers nothing that matters any more.
    pub fn is_rested(&self, now: Moment) -> bool {
        self.due <= now
    }
}

/// At most so many in any span: a log of the last ones.
#[derive(Clone, Debug)]
pub struct Window {
    limit: usize,
    span: Duration,
    log: VecDeque<Moment>,
}

impl Window {
    /// At most `limit` in any `span`, with `margin` added to it: Telegram counts arrivals and we do not see those, so
    /// the two may drift apart by a little. A limit of 0 means no limit.
    pub fn new(limit: u32, span: Duration, margin: Duration) -> Self {
        Self { limit: limit as usize, span: span + margin, log: VecDeque::new() }
    }

    /// The average time between two sends that the window allows.
    pub fn spacing(&self) -> Duration {
        self.span / u32::try_from(self.limit.max(1)).unwrap_or(u32::MAX)
    }

    /// When so many more may be sent.
    pub fn ready_at(&self, tokens: u32) -> Moment {
        let tokens = (tokens as usize).min(self.limit);
        match (self.log.len() + tokens).checked_sub(self.limit + 1) {
            Some(index) if self.limit > 0 => self.log.get(index).map_or(Moment::default(), |at| *at + self.span),
            _ => Moment::default(),
        }
    }

    /// Notes sends.
    pub fn take(&mut self, now: Moment, tokens: u32) {
        for _ in 0..(tokens as usize).min(self.limit) {
            if self.log.len() == self.limit {
                self.log.pop_front();
            }
            self.log.push_back(now);
        }
    }

    /// Takes the newest entries back: their send never left.
    pub fn give_back(&mut self, tokens: u32) {
        let left = self.log.len().saturating_sub(tokens as usize);
        self.log.truncate(left);
    }

    /// Moves the newest entries to the moment at which their answer came: Telegram counted them before that.
    pub fn settle(&mut self, now: Moment, tokens: u32) {
        for at in self.log.iter_mut().rev().take(tokens as usize) {
            *at = now;
        }
    }

    /// Whether it remembers nothing that matters any more.
    pub fn is_rested(&self, now: Moment) -> bool {
        self.log.back().is_none_or(|at| *at + self.span <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Sends as fast as allowed, each `late` after it could have been.
    fn drive(pace: &mut Pace, count: usize, late: Duration) -> Vec<Moment> {
        let mut now = Moment::after(ms(5_000));
        (0..count)
            .map(|_| {
                now = pace.ready_at().max(now) + late;
                pace.take(now, 1, 1.0);
                now
            })
            .collect()
    }

    #[test]
    fn a_strict_pace_never_exceeds_its_rate_in_any_second_and_uses_97_percent_of_it() {
        for rate in [1.0, 5.0, 30.0, 1000.0] {
            for late in [ms(0), Duration::from_micros(700)] {
                let count = (rate * 20.0) as usize;
                let sent = drive(&mut Pace::strict(rate), count, late);
                for (index, at) in sent.iter().enumerate() {
                    let within = sent[index..].iter().take_while(|other| **other - *at < ms(1_000)).count();
                    assert!(within <= rate as usize, "{within} in a second at {rate}/s");
                }
                let took = (*sent.last().unwrap() - sent[0]).as_secs_f64();
                assert!(
                    (count - 1) as f64 / took >= 0.97 * rate || rate < 2.0 || late > pace_gap(rate),
                    "{rate}/s: {took}"
                );
            }
        }
    }

    fn pace_gap(rate: f64) -> Duration {
        Duration::from_secs_f64(0.1 / rate)
    }

    #[test]
    fn a_bursty_pace_lets_a_few_through_and_then_keeps_the_average() {
        let sent = drive(&mut Pace::bursty(1.0, 3), 10, Duration::ZERO);
        assert_eq!(sent[2] - sent[0], ms(0));
        assert_eq!(sent[9] - sent[0], ms(7_000));
    }

    #[test]
    fn several_tokens_are_paid_off_after_the_send() {
        let mut pace = Pace::bursty(1.0, 1);
        let now = Moment::after(ms(1_000));
        pace.take(now, 10, 1.0);
        assert_eq!(pace.ready_at() - now, ms(10_000));
    }

    #[test]
    fn a_window_counts_over_its_whole_span() {
        let mut window = Window::new(20, ms(60_000), ms(250));
        let start = Moment::after(ms(1));
        for second in 0..20 {
            assert!(window.ready_at(1) <= start + ms(second * 1000));
            window.take(start + ms(second * 1000), 1);
        }
        assert_eq!(window.ready_at(1), start + ms(60_250));
        assert_eq!(window.ready_at(10), start + ms(69_250), "an album waits for room for all its items");
        assert!(!window.is_rested(start + ms(60_250)));
        assert!(window.is_rested(start + ms(79_250)));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut pace = Pace::strict(0.0);
        let mut window = Window::new(0, ms(60_000), ms(250));
        for _ in 0..1000 {
            pace.take(Moment::default(), 1, 1.0);
            window.take(Moment::default(), 1);
        }
        assert_eq!(pace.ready_at(), Moment::default());
        assert_eq!(window.ready_at(1), Moment::default());
    }
}
