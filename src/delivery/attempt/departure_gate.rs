//! The bot's rate limit where requests leave. The scheduler paces what is dispatched, but between dispatch and departure
//! lie the ledger and the blob store: when those answer in pulses, what was dispatched evenly would leave in a bunch.

use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::SlidingWindow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Added to the second over which departures are counted, since Telegram counts arrivals.
const SECOND_MARGIN: Duration = Duration::from_millis(15);

/// Lets so many messages of a bot leave in any second, whatever held them up before. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DepartureGate {
    second: Arc<Mutex<SlidingWindow>>,
    started: Instant,
}

impl DepartureGate {
    /// For a bot that may send so many messages a second; 0 for no limit. A rate below one a second is kept by the
    /// scheduler alone.
    pub fn new(rate: f64) -> Self {
        let second = SlidingWindow::new(rate as u32, Duration::from_secs(1), SECOND_MARGIN);
        Self { second: Arc::new(Mutex::new(second)), started: Instant::now() }
    }

    /// Waits until a request that makes so many messages may leave. What waits leaves in the order of its coming. The
    /// permit counts from then on, so it is to be asked for immediately before the request.
    pub async fn wait(&self, messages: u32) {
        let at = self.reserve(MonoTime::after(self.started.elapsed()), messages);
        sleep_until(self.started + (at - MonoTime::default())).await;
    }

    /// When it may leave; the next one is counted after it.
    fn reserve(&self, now: MonoTime, messages: u32) -> MonoTime {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let at = second.ready_at(messages).max(now);
        second.take(at, messages);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When requests leave that all come at one moment, with what each costs.
    fn departures(rate: f64, costs: impl Iterator<Item = u32>) -> Vec<(MonoTime, u32)> {
        let (gate, now) = (DepartureGate::new(rate), MonoTime::after(Duration::from_secs(100)));
        costs.map(|cost| (gate.reserve(now, cost), cost)).collect()
    }

    fn most_in_a_second(left: &[(MonoTime, u32)]) -> u32 {
        let within = |from: usize| {
            let second = left[from..].iter().take_while(|(at, _)| *at - left[from].0 < Duration::from_secs(1));
            second.map(|(_, cost)| cost).sum()
        };
        (0..left.len()).map(within).max().unwrap_or(0)
    }

    #[tokio::test]
    async fn what_was_held_up_together_leaves_within_the_limit() {
        let left = departures(30.0, std::iter::repeat_n(1, 200));
        assert_eq!(most_in_a_second(&left), 30);
        let took = left[199].0 - left[0].0;
        assert!(took < Duration::from_millis(6_200), "at 97 % of the rate at least: {took:?}");
    }

    #[tokio::test]
    async fn an_album_counts_all_its_messages() {
        assert!(most_in_a_second(&departures(30.0, [1, 10].into_iter().cycle().take(60))) <= 30);
    }

    #[tokio::test]
    async fn without_a_limit_nothing_waits() {
        let left = departures(0.0, std::iter::repeat_n(1, 1000));
        assert!(left.iter().all(|(at, _)| *at == left[0].0));
    }
}
