//! The bot's rate limit where requests leave. The scheduler paces what is dispatched, but between dispatch and departure
//! lie the ledger and the blob store: when those answer in pulses, what was dispatched evenly would leave in a bunch.

use super::departure_log::DepartureLog;
use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::{BOT_SPAN, Gcra};
use crate::domain::ChatId;
use crate::ports::Departure;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// So many are always let on their way, however slow the bot.
const MIN_ON_THEIR_WAY: usize = 64;
/// What may leave at once after a silence, as a part of a second's messages.
const BURST: f64 = 1.0 / 6.0;
/// How often to look again whether the courier is awake, while it is not.
const AWAKE_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A courier that has not been seen for so long may have been frozen while its bot got a new owner (a broker with a
/// heartbeat of 4 s gives it away after 8 to 12 s).
pub const STALL_THRESHOLD: Duration = Duration::from_secs(7);

/// Lets so many messages of a bot leave in any second, whatever held them up before. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DepartureGate(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    left: Mutex<Left>,
    /// Whose turn it is to leave next: first come, first served.
    turn: tokio::sync::Mutex<()>,
    is_limited: bool,
    started: Instant,
    /// What was dispatched and has not left.
    on_their_way: AtomicUsize,
    max_on_their_way: usize,
    freed: Notify,
    /// Something was answered, so that more may leave.
    answered: Notify,
    closed: watch::Sender<bool>,
}

/// What has left.
#[derive(Debug)]
struct Left {
    log: DepartureLog,
    /// Evenly: of what leaves in a train, and then waits for the second to pass, the least delay on the way breaks the limit.
    rate: Gcra,
    held_until: MonoTime,
    /// When the courier was seen last.
    awake_at: MonoTime,
}

impl DepartureGate {
    /// For a bot that may send so many messages a second; 0 for no limit. A rate below one a second is kept by the
    /// scheduler alone.
    pub fn new(rate: f64) -> Self {
        // Two seconds' worth: what is dispatched while the ledger is slow waits here, and urgent ones behind it.
        let max_on_their_way = if rate > 0.0 { MIN_ON_THEIR_WAY.max((rate * 2.0) as usize) } else { usize::MAX };
        let burst = ((rate * BURST) as u32).max(1);
        let left = Left {
            log: DepartureLog::new(rate as u32),
            rate: Gcra::bursty(rate / BOT_SPAN.as_secs_f64(), burst),
            held_until: MonoTime::default(),
            awake_at: MonoTime::default(),
        };
        Self(Arc::new(Gate {
            left: Mutex::new(left),
            turn: tokio::sync::Mutex::new(()),
            is_limited: rate > 0.0,
            started: Instant::now(),
            on_their_way: AtomicUsize::new(0),
            max_on_their_way,
            freed: Notify::new(),
            answered: Notify::new(),
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
        self.0.left().log.recent(self.0.now())
    }

    /// Counts what another owner of the bot has sent, oldest first, as if it had left here.
    pub fn inherit(&self, departures: &[Departure]) {
        self.0.left().log.inherit(self.0.now(), departures);
    }

    /// Lets nothing leave for so long, because Telegram has asked the bot to wait.
    pub fn hold_for(&self, wait: Duration) {
        let mut left = self.0.left();
        left.held_until = left.held_until.max(self.0.now() + wait);
    }

    /// The courier was awake at this time, and knew whether it owns its bot. Without this for [`STALL_THRESHOLD`] nothing
    /// leaves.
    pub fn note_awake(&self, at: Instant) {
        self.0.left().awake_at = MonoTime::after(at.saturating_duration_since(self.0.started));
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
    /// Waits until its courier is awake: one that was frozen may have lost its bot, and nothing is to begin in its name before it
    /// has heard of that. Returns too when nothing may leave any more.
    pub async fn awake(&self) {
        while self.0.is_asleep(self.0.now()) && !*self.0.closed.borrow() {
            sleep(AWAKE_CHECK_INTERVAL).await;
        }
    }

    /// Waits until a request to this chat that makes so many messages may leave; `None` if it may not any more. The permit
    /// counts from then on, so it is to be asked for immediately before the request, and kept until its answer. `is_upload`:
    /// when that is counted, its answer does not tell.
    pub async fn leave(self, chat: &ChatId, messages: u32, is_upload: bool) -> Option<DepartedRequest> {
        let gate = &self.0;
        let mut closed = gate.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => None,
            number = gate.let_leave(chat, messages, is_upload) => Some(DepartedRequest { gate: gate.clone(), number }),
        }
    }
}

impl Drop for Approach {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

/// A request that has left; to be dropped when its answer is there.
#[derive(Debug)]
pub struct DepartedRequest {
    gate: Arc<Gate>,
    number: u64,
}

impl Drop for DepartedRequest {
    fn drop(&mut self) {
        self.gate.left().log.record_answer(self.gate.now(), self.number);
        self.gate.answered.notify_one();
    }
}

impl Gate {
    /// Waits for its turn and for room; the number of its departure.
    async fn let_leave(&self, chat: &ChatId, messages: u32, is_upload: bool) -> u64 {
        let _turn = if self.is_limited { Some(self.turn.lock().await) } else { None };
        loop {
            let ask_again_at = match self.try_leave(self.now(), chat, messages, is_upload) {
                Ok(number) => return number,
                Err(ask_again_at) => self.started + (ask_again_at - MonoTime::default()),
            };
            tokio::select! {
                () = sleep_until(ask_again_at) => {}
                () = self.answered.notified() => {}
            }
        }
    }

    /// Lets it leave now, or says when to ask again.
    fn try_leave(&self, now: MonoTime, chat: &ChatId, messages: u32, is_upload: bool) -> Result<u64, MonoTime> {
        if self.is_asleep(now) {
            return Err(now + AWAKE_CHECK_INTERVAL);
        }
        let mut left = self.left();
        let ready_at = left.log.ready_at(now, messages).max(left.rate.ready_at()).max(left.held_until);
        if ready_at > now {
            return Err(ready_at);
        }
        left.rate.take(now, messages, 1.0);
        Ok(left.log.record(now, chat, messages, is_upload.then_some(Duration::ZERO)))
    }

    /// Whether the courier has not been seen for so long that it may have been frozen.
    fn is_asleep(&self, now: MonoTime) -> bool {
        now - self.left().awake_at > STALL_THRESHOLD
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

    /// When requests leave that all come at one moment, with what each costs; each is answered at once.
    async fn departures(rate: f64, costs: impl Iterator<Item = u32>) -> Vec<(Duration, u32)> {
        let gate = DepartureGate::new(rate);
        let began = Instant::now();
        let mut left = Vec::new();
        for cost in costs {
            gate.note_awake(Instant::now());
            assert!(gate.approach().leave(&ChatId::Id(1), cost, false).await.is_some());
            left.push((began.elapsed(), cost));
        }
        left
    }

    fn most_in_a_second(left: &[(Duration, u32)]) -> u32 {
        let within = |from: usize| {
            let second = left[from..].iter().take_while(|(at, _)| *at - left[from].0 < Duration::from_secs(1));
            second.map(|(_, cost)| cost).sum()
        };
        (0..left.len()).map(within).max().unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_held_up_together_leaves_within_the_limit() {
        let left = departures(30.0, std::iter::repeat_n(1, 200)).await;
        assert_eq!(most_in_a_second(&left), 30);
        let took = left[199].0 - left[0].0;
        assert!(took < Duration::from_millis(6_850), "at 97 % of the rate at least: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_album_counts_all_its_messages() {
        assert!(most_in_a_second(&departures(30.0, [1, 10].into_iter().cycle().take(60)).await) <= 30);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        let left = departures(0.0, std::iter::repeat_n(1, 1000)).await;
        assert!(left.iter().all(|(at, _)| *at == left[0].0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_owner_counts_what_the_last_one_has_sent() {
        let (gate, next) = (DepartureGate::new(30.0), DepartureGate::new(30.0));
        let first_left = Instant::now();
        for chat in 1..=30 {
            assert!(gate.approach().leave(&ChatId::Id(chat), 1, false).await.is_some());
        }
        next.inherit(&gate.recent());
        assert!(next.approach().leave(&ChatId::Id(31), 1, false).await.is_some());
        assert!(first_left.elapsed() >= BOT_SPAN, "{:?}", first_left.elapsed());
        assert_eq!(next.recent().len(), 31, "and tells its own next of both");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_leaves_while_the_bot_is_to_wait_or_the_courier_is_not_awake() {
        let (gate, began) = (DepartureGate::new(30.0), Instant::now());
        gate.hold_for(Duration::from_secs(3));
        assert!(gate.approach().leave(&ChatId::Id(1), 1, false).await.is_some());
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        tokio::time::advance(STALL_THRESHOLD).await;
        let (waiting, begins) = (gate.approach(), gate.approach());
        let waiting = tokio::spawn(async move { waiting.leave(&ChatId::Id(1), 1, false).await });
        let begins = tokio::spawn(async move { begins.awake().await });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!waiting.is_finished() && !begins.is_finished());
        gate.note_awake(Instant::now());
        assert!(waiting.await.unwrap().is_some());
        begins.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_crowded_until_one_has_left_and_closed_lets_nothing_leave() {
        let gate = DepartureGate::new(1.0);
        let mut coming: Vec<_> = (0..MIN_ON_THEIR_WAY).map(|_| gate.approach()).collect();
        assert!(gate.is_crowded());
        assert!(coming.pop().unwrap().leave(&ChatId::Id(1), 1, false).await.is_some());
        gate.freed().await;
        assert!(!gate.is_crowded());
        let waits = coming.pop().unwrap();
        let waits = tokio::spawn(async move { waits.leave(&ChatId::Id(1), 1, false).await });
        gate.close();
        assert!(waits.await.unwrap().is_none());
        gate.open();
        assert!(
            coming.pop().unwrap().leave(&ChatId::Id(1), 1, false).await.is_some(),
            "who turned back has taken nothing"
        );
    }
}
