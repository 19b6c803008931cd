//! The bot's rate limit where requests leave. The scheduler paces what is dispatched, but between dispatch and departure
//! lie the ledger and the blob store: when those answer in pulses, what was dispatched evenly would leave in a bunch.

use super::recent_departures::RecentDepartures;
use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::{BOT_SPAN, Gcra, SlidingWindow};
use crate::domain::ChatId;
use crate::ports::Departure;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// So many are always let on their way, however slow the bot.
const MIN_ON_THEIR_WAY: usize = 64;

/// What may leave at once after a silence, as a part of a second's messages.
const BURST: f64 = 1.0 / 6.0;

/// Lets so many messages of a bot leave in any second, whatever held them up before. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DepartureGate(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    left: Mutex<Left>,
    started: Instant,
    /// What was dispatched and has not left.
    on_their_way: AtomicUsize,
    max_on_their_way: usize,
    freed: Notify,
    closed: watch::Sender<bool>,
}

/// What has left.
#[derive(Debug)]
struct Left {
    second: SlidingWindow,
    /// Evenly: of what leaves in a train, and then waits for the second to pass, the least delay on the way breaks the limit.
    rate: Gcra,
    recent: RecentDepartures,
}

impl DepartureGate {
    /// For a bot that may send so many messages a second; 0 for no limit. A rate below one a second is kept by the
    /// scheduler alone.
    pub fn new(rate: f64) -> Self {
        // Two seconds' worth: what is dispatched while the ledger is slow waits here, and urgent ones behind it.
        let max_on_their_way = if rate > 0.0 { MIN_ON_THEIR_WAY.max((rate * 2.0) as usize) } else { usize::MAX };
        let second = SlidingWindow::new(rate as u32, BOT_SPAN, Duration::ZERO);
        let (burst, recent) = (((rate * BURST) as u32).max(1), RecentDepartures::default());
        Self(Arc::new(Gate {
            left: Mutex::new(Left { second, rate: Gcra::bursty(rate / BOT_SPAN.as_secs_f64(), burst), recent }),
            started: Instant::now(),
            on_their_way: AtomicUsize::new(0),
            max_on_their_way,
            freed: Notify::new(),
            closed: watch::Sender::new(false),
        }))
    }

    /// Lets one be on its way to the gate.
    pub fn approach(&self) -> Approach {
        self.0.on_their_way.fetch_add(1, Ordering::Relaxed);
        Approach(self.0.clone())
    }

    /// Whether as many are on their way as may be.
    pub fn is_crowded(&self) -> bool {
        self.0.on_their_way.load(Ordering::Relaxed) >= self.0.max_on_their_way
    }

    /// Returns when one has left, or has turned back, since the last call.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// What has left lately, oldest first.
    pub fn recent(&self) -> Vec<Departure> {
        self.0.left().recent.at(self.0.now())
    }

    /// Counts what another owner of the bot has sent, oldest first, as if it had left here.
    pub fn inherit(&self, departures: &[Departure]) {
        self.0.inherit(self.0.now(), departures);
    }

    /// Lets nothing leave any more: what is on its way turns back.
    pub fn close(&self) {
        self.0.closed.send_if_modified(|closed| !std::mem::replace(closed, true));
    }

    /// Lets requests leave again.
    pub fn open(&self) {
        self.0.closed.send_if_modified(|closed| std::mem::replace(closed, false));
    }
}

/// One on its way to the gate; dropped, it has turned back.
#[derive(Debug)]
pub struct Approach(Arc<Gate>);

impl Approach {
    /// Waits until a request to this chat that makes so many messages may leave; `false` if it may not any more. What waits
    /// leaves in the order of its coming. The permit counts from then on, so it is to be asked for immediately before the
    /// request.
    pub async fn leave(self, chat: &ChatId, messages: u32) -> bool {
        let gate = &self.0;
        let at = gate.reserve(gate.now(), chat, messages);
        let mut closed = gate.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => false,
            () = sleep_until(gate.started + (at - MonoTime::default())) => true,
        }
    }
}

impl Drop for Approach {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

impl Gate {
    /// When it may leave; the next one is counted after it.
    fn reserve(&self, now: MonoTime, chat: &ChatId, messages: u32) -> MonoTime {
        let mut left = self.left();
        let at = left.second.ready_at(messages).max(left.rate.ready_at()).max(now);
        left.second.take(at, messages);
        left.rate.take(at, messages, 1.0);
        left.recent.record(at, chat, messages);
        at
    }

    fn inherit(&self, now: MonoTime, departures: &[Departure]) {
        let mut left = self.left();
        for departure in departures {
            let at = now - Duration::from_millis(departure.age_ms);
            left.second.take(at, departure.messages);
            left.recent.record(at, &departure.chat, departure.messages);
        }
    }

    fn now(&self) -> MonoTime {
        MonoTime::after(self.started.elapsed())
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When requests leave that all come at one moment, with what each costs.
    fn departures(rate: f64, costs: impl Iterator<Item = u32>) -> Vec<(MonoTime, u32)> {
        let (gate, now) = (DepartureGate::new(rate), MonoTime::after(Duration::from_secs(100)));
        costs.map(|cost| (gate.0.reserve(now, &ChatId::Id(1), cost), cost)).collect()
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
        assert!(took < Duration::from_millis(6_850), "at 97 % of the rate at least: {took:?}");
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
    async fn the_next_owner_counts_what_the_last_one_has_sent() {
        let (gate, next) = (DepartureGate::new(30.0), DepartureGate::new(30.0));
        let now = MonoTime::after(Duration::from_secs(100));
        for chat in 1..=30 {
            gate.0.reserve(now, &ChatId::Id(chat), 1);
        }
        let later = now + Duration::from_millis(400);
        next.0.inherit(later, &gate.0.left().recent.at(later));
        assert_eq!(next.0.reserve(later, &ChatId::Id(31), 1) - now, Duration::from_millis(1_025));
        let of_both = next.0.left().recent.at(later + Duration::from_secs(1));
        let ages: Vec<u64> = of_both.iter().map(|departure| departure.age_ms).collect();
        assert_eq!((ages.len(), ages[0], ages[30]), (31, 1_400, 375), "and tells its own next of both");
        assert!(
            next.0.left().recent.at(later + Duration::from_secs(20)).is_empty(),
            "what is long past is told nobody"
        );
    }

    #[tokio::test]
    async fn it_is_crowded_until_one_has_left_and_closed_lets_nothing_leave() {
        let gate = DepartureGate::new(1.0);
        let mut coming: Vec<_> = (0..MIN_ON_THEIR_WAY).map(|_| gate.approach()).collect();
        assert!(gate.is_crowded());
        assert!(coming.pop().unwrap().leave(&ChatId::Id(1), 1).await);
        gate.freed().await;
        assert!(!gate.is_crowded());
        let waits = coming.pop().unwrap();
        let waits = tokio::spawn(async move { waits.leave(&ChatId::Id(1), 1).await });
        gate.close();
        assert!(!waits.await.unwrap());
        gate.open();
        assert!(coming.pop().unwrap().leave(&ChatId::Id(1), 1).await);
    }
}
