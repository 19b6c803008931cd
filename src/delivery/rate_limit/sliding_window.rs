//! A sliding window rate limit: a log of the last sends.

use crate::delivery::mono_time::MonoTime;
use std::collections::VecDeque;
use std::time::Duration;

/// At most so many in any span of time.
#[derive(Clone, Debug)]
pub struct SlidingWindow {
    limit: usize,
    span: Duration,
    /// The last `limit` sends, oldest first.
    log: VecDeque<MonoTime>,
}

impl SlidingWindow {
    /// At most `limit` in any `span`, with `margin` added to it: Telegram counts arrivals and we do not see those, so
    /// the two may drift apart by a little. A limit of 0 means no limit.
    pub fn new(limit: u32, span: Duration, margin: Duration) -> Self {
        Self { limit: limit as usize, span: span + margin, log: VecDeque::new() }
    }

    /// The average time between two sends that the window allows.
    pub fn interval(&self) -> Duration {
        self.span / u32::try_from(self.limit.max(1)).unwrap_or(u32::MAX)
    }

    /// When so many more may be sent.
    pub fn ready_at(&self, tokens: u32) -> MonoTime {
        let tokens = (tokens as usize).min(self.limit);
        match (self.log.len() + tokens).checked_sub(self.limit + 1) {
            Some(index) if self.limit > 0 => self.log.get(index).map_or(MonoTime::default(), |at| *at + self.span),
            _ => MonoTime::default(),
        }
    }

    /// Logs sends.
    pub fn take(&mut self, now: MonoTime, tokens: u32) {
        for _ in 0..(tokens as usize).min(self.limit) {
            if self.log.len() == self.limit {
                self.log.pop_front();
            }
            self.log.push_back(now);
        }
    }

    /// How many may be sent at this moment.
    pub fn free(&self, now: MonoTime) -> usize {
        let taken = self.log.iter().rev().take_while(|at| **at + self.span > now).count();
        self.limit.saturating_sub(taken)
    }

    /// Whether a new one would behave the same.
    pub fn is_idle(&self, now: MonoTime) -> bool {
        self.log.back().is_none_or(|at| *at + self.span <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn it_counts_over_its_whole_span() {
        let mut window = SlidingWindow::new(20, ms(60_000), ms(250));
        let start = MonoTime::after(ms(1));
        for second in 0..20 {
            assert!(window.ready_at(1) <= start + ms(second * 1000));
            window.take(start + ms(second * 1000), 1);
        }
        assert_eq!(window.ready_at(1), start + ms(60_250));
        assert_eq!(window.ready_at(10), start + ms(69_250), "an album waits for room for all its items");
        assert!(!window.is_idle(start + ms(60_250)));
        assert!(window.is_idle(start + ms(79_250)));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut window = SlidingWindow::new(0, ms(60_000), ms(250));
        (0..1000).for_each(|_| window.take(MonoTime::default(), 1));
        assert_eq!(window.ready_at(1), MonoTime::default());
    }
}
