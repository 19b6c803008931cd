//! All servers of a world, and what happens to them.

use super::judge::{Judge, chat_number};
use super::ledger::LedgerModel;
use super::queue::QueueModel;
use super::telegram::TelegramModel;
use crate::domain::{Notification, PauseList, Timestamp};
use crate::ports::FileKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A part of the engine that can be late or away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The queue.
    Queue,
    /// The ledger, and the media index with it.
    Ledger,
    /// The blob store.
    Blobs,
}

/// When every world begins: 2026-01-01.
const START: i64 = 1_767_225_600_000;

/// Everything outside the workers.
pub struct State {
    started: Instant,
    /// Draws whatever is left to chance.
    pub random: fastrand::Rng,
    pub queue: QueueModel,
    pub ledger: LedgerModel,
    pub telegram: TelegramModel,
    /// The media index.
    pub file_ids: BTreeMap<FileKey, String>,
    pub judge: Judge,
    /// What workers know to be paused.
    pub pauses: watch::Sender<Arc<PauseList>>,
    /// By part: until when it is away, and until when it keeps everybody waiting.
    away: [Duration; 3],
    stalled: [Duration; 3],
    /// Which workers live.
    alive: Vec<bool>,
    /// What happened, if somebody wants to read it.
    pub trace: Option<Vec<String>>,
}

/// The state, shared by all who can see the servers.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    /// A fresh world.
    pub fn new(random: fastrand::Rng, traced: bool) -> Self {
        let state = State {
            started: Instant::now(),
            random,
            queue: QueueModel::default(),
            ledger: LedgerModel::default(),
            telegram: TelegramModel::default(),
            file_ids: BTreeMap::new(),
            judge: Judge::default(),
            pauses: watch::Sender::default(),
            away: [Duration::ZERO; 3],
            stalled: [Duration::ZERO; 3],
            alive: Vec::new(),
            trace: traced.then(Vec::new),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Starts the clock of a world; returns when.
    pub fn start(&self) -> Instant {
        let started = Instant::now();
        self.lock().started = started;
        started
    }

    /// The state, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a notification in, as an acceptor does.
    pub fn accept(&self, notification: &Notification, is_probe: bool) {
        let mut state = self.lock();
        let (now, due) = (state.now(), notification.send_at.map(|at| state.moment(at)));
        state.note(|| format!("accepted {} for {}", notification.id, chat_number(notification)));
        state.judge.accepted(now, notification, is_probe);
        state.ledger.accept(notification);
        state.queue.publish(now, notification.clone(), due.unwrap_or_default());
        drop(state);
        self.wake_queue(due.unwrap_or_default());
    }

    /// Takes it into the queue once more, a while later.
    pub fn publish_again(&self, notification: &Notification, later: Duration) {
        let mut state = self.lock();
        let (now, due) = (state.now(), notification.send_at.map(|at| state.moment(at)));
        let due = due.unwrap_or_default().max(now + later);
        state.queue.publish(now, notification.clone(), due);
        drop(state);
        self.wake_queue(due);
    }

    /// Lets the queue look at a moment for what is due.
    pub fn wake_queue(&self, at: Duration) {
        let shared = self.clone();
        let at = self.lock().started + at;
        if at > Instant::now() {
            tokio::spawn(async move {
                tokio::time::sleep_until(at).await;
                let mut state = shared.lock();
                let now = state.now();
                state.queue.wake(now);
            });
        }
    }

    /// Lets the broker find the bot an owner, in a while.
    pub fn elect_later(&self) {
        let (shared, pause) = (self.clone(), self.lock().random.u64(5..1_500));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let state = &mut *shared.lock();
            if let Some(owner) = state.queue.elect(&mut state.random) {
                state.note(|| format!("worker {owner} owns the bot"));
            }
        });
    }
}

impl State {
    /// The time since the start of the world.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The wall clock of the world.
    pub fn wall(&self) -> Timestamp {
        Timestamp::from_unix_millis(START).plus(self.now())
    }

    /// The same moment in the time of the world.
    pub fn moment(&self, at: Timestamp) -> Duration {
        at.since(Timestamp::from_unix_millis(START))
    }

    /// Writes a line for who reads the trace.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.trace.is_some() {
            let line = format!("{:>10.3} {}", self.now().as_secs_f64(), line());
            self.trace.iter_mut().for_each(|trace| trace.push(line.clone()));
        }
    }

    /// Lets another worker live; returns its number.
    pub fn add_worker(&mut self) -> usize {
        self.alive.push(true);
        self.alive.len() - 1
    }

    /// Ends a worker: what it has asked for may still happen, but it hears of nothing.
    pub fn end_worker(&mut self, worker: usize) {
        if std::mem::replace(&mut self.alive[worker], false) {
            self.judge.died(worker);
        }
    }

    pub fn is_alive(&self, worker: usize) -> bool {
        self.alive[worker]
    }

    pub fn take_away(&mut self, part: Part, until: Duration) {
        self.away[part as usize] = self.away[part as usize].max(until);
    }

    pub fn stall(&mut self, part: Part, until: Duration) {
        self.stalled[part as usize] = self.stalled[part as usize].max(until);
    }

    /// Whether a part does not answer a worker.
    pub fn is_away(&self, part: Part, worker: usize) -> bool {
        let cut_off = part == Part::Queue && !self.queue.is_connected(worker);
        cut_off || self.away[part as usize] > self.now()
    }

    /// When a part that keeps everybody waiting goes on.
    pub fn goes_on_at(&self, part: Part) -> Instant {
        self.started + self.stalled[part as usize]
    }
}
