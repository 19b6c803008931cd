//! Who works at an image, and when: places are few, since it is work for the processor, and callers share them evenly.
//!
//! Work goes in turns. What has had one goes on only as far as nobody waits, or stands behind all that came within a second
//! after it; so a small image waits for a few milliseconds, whatever others have brought. Callers take turns too: first is who
//! has the fewest places, and among these who has had none for longest. Work whose caller has gone is ended.

use super::caller::Caller;
use crate::imaging::Stop;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How far behind its time of arrival work stands that has had a turn.
const SECOND_TURN_DELAY: Duration = Duration::from_secs(1);

/// How much work goes on at a time.
#[derive(Clone, Copy, Debug)]
pub struct TurnLimits {
    /// How much runs.
    pub places: usize,
    /// How much has begun, whether it runs or waits for its next turn: it holds memory and a thread.
    pub begun: usize,
    /// The same for one caller.
    pub begun_by_caller: usize,
    /// How long a turn is.
    pub turn: Duration,
    /// How long work may run, over all of its turns.
    pub running_time: Duration,
}

/// Places to work at.
#[derive(Debug)]
pub struct Turns {
    limits: TurnLimits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    work: Vec<Work>,
    next_number: u64,
    /// Of the callers that have work here, the number of the latest turn.
    latest: HashMap<Caller, u64>,
    turns: u64,
}

#[derive(Debug)]
struct Work {
    number: u64,
    caller: Caller,
    stage: Stage,
    has_paused: bool,
    /// When it came; work that has had a turn is taken to have come later.
    rank: Instant,
    /// Tells whoever waits that it has a place; none while it runs.
    wake: Option<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Paused,
}

impl Turns {
    /// Places that nobody has taken.
    pub fn new(limits: TurnLimits) -> Arc<Self> {
        Arc::new(Self { limits, queue: Mutex::default() })
    }

    /// Waits for a place.
    pub async fn begin(self: &Arc<Self>, caller: Caller) -> Turn {
        let (wake, woken) = oneshot::channel();
        let number = {
            let mut queue = self.queue();
            let number = queue.next_number;
            queue.next_number += 1;
            let (stage, rank, wake) = (Stage::New, Instant::now(), Some(wake));
            queue.work.push(Work { number, caller, stage, has_paused: false, rank, wake });
            queue.fill(&self.limits);
            number
        };
        // From here on it is given up with the turn, also if nobody waits for that any more.
        let mut turn = Turn { turns: self.clone(), number, unwanted: AtomicBool::new(false), clock: Mutex::default() };
        let _ = woken.await;
        turn.clock = Mutex::new(Clock { resumed: Some(Instant::now()), spent: Duration::ZERO });
        turn
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Gives away the places that are free.
    fn fill(&mut self, limits: &TurnLimits) {
        while self.work.iter().filter(|work| work.stage == Stage::Running).count() < limits.places {
            let Some(at) = self.first(limits) else { return };
            let woken = self.work[at].wake.take().is_some_and(|wake| wake.send(()).is_ok());
            self.work[at].stage = Stage::Running;
            self.turns += 1;
            self.latest.insert(self.work[at].caller.clone(), self.turns);
            if !woken {
                self.work.swap_remove(at);
            }
        }
    }

    /// Who is next.
    fn first(&self, limits: &TurnLimits) -> Option<usize> {
        let (mut running, mut begun): (HashMap<&Caller, usize>, HashMap<&Caller, usize>) = Default::default();
        for work in self.work.iter().filter(|work| work.stage != Stage::New) {
            *begun.entry(&work.caller).or_default() += 1;
            if work.stage == Stage::Running {
                *running.entry(&work.caller).or_default() += 1;
            }
        }
        let all_begun: usize = begun.values().sum();
        let may_run = |work: &Work| match work.stage {
            Stage::New => {
                all_begun < limits.begun && begun.get(&work.caller).copied().unwrap_or(0) < limits.begun_by_caller
            }
            Stage::Paused => true,
            Stage::Running => false,
        };
        let waiting = self.work.iter().enumerate().filter(|(_, work)| may_run(work));
        let first = waiting.min_by_key(|(_, work)| {
            let (running, latest) = (running.get(&work.caller), self.latest.get(&work.caller));
            // Nothing is less than any number.
            (running, latest, work.rank, work.number)
        });
        first.map(|(at, _)| at)
    }

    /// Forgets the callers that have no work here.
    fn forget_callers(&mut self) {
        let Self { work, latest, .. } = self;
        latest.retain(|caller, _| work.iter().any(|work| work.caller == *caller));
    }

    fn find(&mut self, number: u64) -> Option<&mut Work> {
        self.work.iter_mut().find(|work| work.number == number)
    }
}

/// A place, from the first turn of some work to its end; given up when dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    number: u64,
    unwanted: AtomicBool,
    clock: Mutex<Clock>,
}

#[derive(Debug, Default)]
struct Clock {
    /// When the current turn began.
    resumed: Option<Instant>,
    /// How long the turns before it were.
    spent: Duration,
}

impl Turn {
    /// Asked by the work now and then. Once its turn is over it lets others go first, and waits for its next one: it blocks.
    ///
    /// # Errors
    /// If it is to end.
    pub fn go_on(&self) -> Result<(), Stop> {
        let now = Instant::now();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = clock.resumed.map_or(Duration::ZERO, |resumed| now.duration_since(resumed));
        if self.unwanted.load(Ordering::Relaxed) {
            return Err(Stop::Unwanted);
        }
        if clock.spent + turn > self.turns.limits.running_time {
            return Err(Stop::TooLong);
        }
        if turn < self.turns.limits.turn {
            return Ok(());
        }
        clock.spent += turn;
        let resumed = self.pause();
        clock.resumed = Some(Instant::now());
        resumed
    }

    /// Gives up the place, and waits for one.
    fn pause(&self) -> Result<(), Stop> {
        let woken = {
            let mut queue = self.turns.queue();
            if queue.work.len() <= self.turns.limits.places {
                return Ok(());
            }
            let work = queue.find(self.number).ok_or(Stop::Unwanted)?;
            let (wake, woken) = oneshot::channel();
            if !work.has_paused {
                work.rank += SECOND_TURN_DELAY;
            }
            (work.stage, work.wake, work.has_paused) = (Stage::Paused, Some(wake), true);
            queue.fill(&self.turns.limits);
            woken
        };
        // Nobody will wake what was dropped from the queue meanwhile.
        woken.blocking_recv().map_err(|_| Stop::Unwanted)
    }

    /// Ends the work at its next question, even if it waits for a turn.
    pub fn end(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
        let mut queue = self.turns.queue();
        queue.work.retain(|work| work.number != self.number || work.stage == Stage::Running);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        queue.work.retain(|work| work.number != self.number);
        queue.forget_callers();
        queue.fill(&self.turns.limits);
    }
}

/// Ends the work of a turn when dropped: its caller has gone, or has the result.
pub struct Caring(pub Weak<Turn>);

impl Drop for Caring {
    fn drop(&mut self) {
        if let Some(turn) = self.0.upgrade() {
            turn.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn turns(places: usize, begun: usize, turn: Duration) -> Arc<Turns> {
        let running_time = Duration::from_secs(5);
        Turns::new(TurnLimits { places, begun, begun_by_caller: begun, turn, running_time })
    }

    /// A turn that somebody waits for.
    async fn waiting(turns: &Arc<Turns>, caller: &str) -> tokio::task::JoinHandle<Turn> {
        let (before, turns) = (turns.queue().work.len(), turns.clone());
        let (begun, caller) = (turns.clone(), Caller::named(caller));
        let waiting = tokio::spawn(async move { turns.begin(caller).await });
        while begun.queue().work.len() == before {
            tokio::task::yield_now().await;
        }
        waiting
    }

    #[tokio::test]
    async fn callers_take_turns_however_much_one_has_brought() {
        let turns = turns(1, 1, Duration::MAX);
        let first = turns.begin(Caller::named("a")).await;
        let mut others = Vec::new();
        for _ in 0..10 {
            others.push(waiting(&turns, "a").await);
        }
        let stranger = waiting(&turns, "b").await;
        drop(first);
        drop(stranger.await.unwrap());
        for other in others {
            drop(other.await.unwrap());
        }
        assert!(turns.queue().work.is_empty() && turns.queue().latest.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_new_goes_before_what_has_had_its_turn() {
        let turns = turns(1, 2, Duration::ZERO);
        let long = Arc::new(turns.begin(Caller::named("a")).await);
        let small = waiting(&turns, "a").await;
        let at_work = long.clone();
        let long_work = thread::spawn(move || at_work.go_on());
        let small = small.await.unwrap();
        assert!(!long_work.is_finished(), "it waits for the small one");
        let third = waiting(&turns, "a").await;
        assert!(!third.is_finished(), "as much has begun as may");
        third.abort();
        drop(small);
        assert_eq!(long_work.join().unwrap(), Ok(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_ends_when_nobody_wants_it_or_its_time_is_over() {
        let turns = turns(1, 2, Duration::ZERO);
        let long = Arc::new(turns.begin(Caller::default()).await);
        let small = waiting(&turns, "a").await;
        let at_work = long.clone();
        let paused = thread::spawn(move || at_work.go_on());
        let small = small.await.unwrap();
        drop(Caring(Arc::downgrade(&long)));
        assert_eq!(paused.join().unwrap(), Err(Stop::Unwanted), "though it waits");
        assert_eq!(long.go_on(), Err(Stop::Unwanted));
        small.clock.lock().unwrap().spent = Duration::from_secs(6);
        assert_eq!(small.go_on(), Err(Stop::TooLong));
    }

    #[tokio::test]
    async fn who_no_longer_waits_takes_no_place() {
        let turns = turns(1, 1, Duration::MAX);
        let first = turns.begin(Caller::default()).await;
        let gone = waiting(&turns, "a").await;
        let next = waiting(&turns, "b").await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        drop(first);
        next.await.unwrap();
    }
}
