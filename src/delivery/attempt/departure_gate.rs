//! The bot's rate limit where requests leave. The scheduler paces what is dispatched, but between dispatch and departure
//! lie the ledger and the blob store: when those answer in pulses, what was dispatched evenly would leave in a bunch.

use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::{SILENCE, SlidingWindow};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// So many are always let on their way, however slow the bot.
const MIN_ON_THEIR_WAY: usize = 64;

/// Lets so many messages of a bot leave in any second, whatever held them up before. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DepartureGate(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    second: Mutex<SlidingWindow>,
    started: Instant,
    /// What was dispatched and has not left.
    on_their_way: AtomicUsize,
    max_on_their_way: usize,
    freed: Notify,
    closed: watch::Sender<bool>,
}

impl DepartureGate {
    /// For a bot that may send so many messages a second; 0 for no limit. A rate below one a second is kept by the
    /// scheduler alone.
    pub fn new(rate: f64) -> Self {
        let margin = SILENCE.saturating_sub(Duration::from_secs(1));
        // Two seconds' worth: what is dispatched while the ledger is slow waits here, and urgent ones behind it.
        let max_on_their_way = if rate > 0.0 { MIN_ON_THEIR_WAY.max((rate * 2.0) as usize) } else { usize::MAX };
        Self(Arc::new(Gate {
            second: Mutex::new(SlidingWindow::new(rate as u32, Duration::from_secs(1), margin)),
            started: Instant::now(),
            on_their_way: AtomicUsize::new(0),
            max_on_their_way,
            freed: Notify::new(),
            closed: watch::Sender::new(false),
        }))
    }

    /// Lets one be on its way to the gate.
    pub fn approach(&self) -> Departure {
        self.0.on_their_way.fetch_add(1, Ordering::Relaxed);
        Departure(self.0.clone())
    }

    /// Whether as many are on their way as may be.
    pub fn is_crowded(&self) -> bool {
        self.0.on_their_way.load(Ordering::Relaxed) >= self.0.max_on_their_way
    }

    /// Returns when one has left, or has turned back, since the last call.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// Lets nothing leave any more: what is on its way turns back.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Lets requests leave again.
    pub fn open(&self) {
        self.0.closed.send_replace(false);
    }
}

/// One on its way to the gate; dropped, it has turned back.
#[derive(Debug)]
pub struct Departure(Arc<Gate>);

impl Departure {
    /// Waits until a request that makes so many messages may leave; `false` if it may not any more. What waits leaves in the
    /// order of its coming. The permit counts from then on, so it is to be asked for immediately before the request.
    pub async fn leave(self, messages: u32) -> bool {
        let gate = &self.0;
        let at = gate.reserve(MonoTime::after(gate.started.elapsed()), messages);
        let mut closed = gate.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => false,
            () = sleep_until(gate.started + (at - MonoTime::default())) => true,
        }
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

impl Gate {
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
        costs.map(|cost| (gate.0.reserve(now, cost), cost)).collect()
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

    #[tokio::test]
    async fn it_is_crowded_until_one_has_left_and_closed_lets_nothing_leave() {
        let gate = DepartureGate::new(1.0);
        let mut coming: Vec<_> = (0..MIN_ON_THEIR_WAY).map(|_| gate.approach()).collect();
        assert!(gate.is_crowded());
        assert!(coming.pop().unwrap().leave(1).await);
        gate.freed().await;
        assert!(!gate.is_crowded());
        let waits = tokio::spawn(coming.pop().unwrap().leave(1));
        gate.close();
        assert!(!waits.await.unwrap());
        gate.open();
        assert!(coming.pop().unwrap().leave(1).await);
    }
}
