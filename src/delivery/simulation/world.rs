//! A world: two workers, their servers, and what happens to them.

use super::judge::{MAX_ATTEMPTS, Violation};
use super::link::Link;
use super::plan::{Event, Fault, Plan};
use super::state::{Part, Shared};
use super::telegram::Weather;
use crate::delivery::{Courier, CourierContext};
use crate::domain::{BotName, Timestamp};
use crate::ports::{Ledger, Ports};
use crate::settings::{Bot, RateLimits};
use crate::telemetry::Metrics;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What is left to be done when everything has happened must be done within this.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// For so long after a fault nobody is called starved: circuit breaker and backoffs may have grown.
const RECOVERY: Duration = Duration::from_secs(60);
/// How long a worker that is told to stop lets attempts end.
const GRACE: Duration = Duration::from_secs(10);

static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(|| Arc::new(Metrics::new()));

static BOT: LazyLock<Arc<Bot>> = LazyLock::new(|| {
    let token = "1:simulated-simulated-simulated".to_owned().into();
    let bot = Bot::new(BotName::default_bot(), token, "http://telegram".to_owned(), RateLimits::default());
    Arc::new(bot.expect("a token"))
});

/// What came of a world.
pub struct Outcome {
    /// What was broken.
    pub violations: Vec<Violation>,
    /// What happened, if it was to be traced.
    pub trace: Vec<String>,
    /// How many requests arrived at Telegram.
    pub arrivals: u64,
    /// How long it lasted.
    pub lasted: Duration,
}

/// Lets the world of a seed happen, on a runtime of its own.
pub fn simulate(seed: u64, plan: impl FnOnce(&mut fastrand::Rng) -> Plan, traced: bool) -> Outcome {
    fastrand::seed(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = plan(&mut random);
    let shared = Shared::new(random, traced);
    on_paused_clock(shared.clone(), World { shared, workers: Vec::new(), window: plan.window }.run(plan))
}

/// Lets something happen in fresh servers, in paused time that the wall clock follows.
pub fn on_paused_clock<T>(shared: Shared, happening: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let outcome = runtime.expect("a runtime").block_on(async {
        let started = shared.start();
        let begin = shared.lock().wall();
        Timestamp::set_clock(Some(Box::new(move || begin.plus(started.elapsed()))));
        happening.await
    });
    Timestamp::set_clock(None);
    outcome
}

/// What a worker's courier works with.
pub fn context(link: Arc<Link>) -> CourierContext {
    let ports = Ports {
        acceptor: link.clone(),
        queue: link.clone(),
        ledger: link.clone(),
        media: link.clone(),
        blobs: link.clone(),
        outcome_notifier: link.clone(),
        recipients: link.clone(),
        quotas: link.clone(),
        callbacks: link.clone(),
        event_log: link.clone(),
        operations: link.clone(),
        pauses: link.clone(),
    };
    let (bot, metrics, max_attempts) = (BOT.clone(), METRICS.clone(), MAX_ATTEMPTS);
    let draining = tokio::sync::watch::channel(false).1;
    CourierContext { bot, ports, messenger: link, metrics, draining, max_attempts }
}

struct World {
    shared: Shared,
    workers: Vec<Worker>,
    window: u16,
}

struct Worker {
    number: usize,
    stop: CancellationToken,
    courier: JoinHandle<()>,
}

impl World {
    async fn run(mut self, plan: Plan) -> Outcome {
        {
            let state = &mut *self.shared.lock();
            state.queue.returns_first = plan.returns_first;
            state.telegram.blocked.extend(plan.blocked);
            state.judge.bot_limit_allowance = Duration::from_secs(1) * plan.chats / 29;
            // A new owner begins with a second of silence.
            state.judge.disturbed(Duration::ZERO, Duration::from_secs(5));
        }
        self.start_worker();
        self.start_worker();
        for (at, event) in plan.events {
            let now = self.shared.lock().now();
            sleep(at.saturating_sub(now)).await;
            self.happen(event);
        }
        self.settle_down().await;
        let state = &mut *self.shared.lock();
        let lasted = state.now();
        state.judge.close(lasted, |id| state.ledger.get(id));
        if !state.judge.violations.is_empty() {
            let summary = state.queue.summary();
            state.note(|| summary);
        }
        let violations = std::mem::take(&mut state.judge.violations);
        Outcome { violations, trace: state.trace.take().unwrap_or_default(), arrivals: state.judge.arrivals, lasted }
    }

    /// Waits until all have ended, and what ended them is over.
    async fn settle_down(&self) {
        let deadline = self.shared.lock().now() + PATIENCE;
        loop {
            sleep(Duration::from_secs(1)).await;
            let state = self.shared.lock();
            if state.judge.open(|id| state.ledger.get(id)).is_empty() || state.now() > deadline {
                break;
            }
        }
        sleep(Duration::from_secs(1)).await;
    }

    fn start_worker(&mut self) {
        let number = self.shared.lock().add_worker();
        let link = Arc::new(Link { shared: self.shared.clone(), worker: number });
        let courier = Courier::new(context(link), self.window);
        let (stop, shared) = (CancellationToken::new(), self.shared.clone());
        let told = stop.clone();
        let courier = tokio::spawn(async move {
            courier.run(told, GRACE).await;
            // The process ends a little later: what else it was doing comes to its end or not.
            let owned = shared.lock().queue.leave(number);
            if owned {
                shared.elect_later();
            }
            sleep(Duration::from_millis(5)).await;
            shared.lock().end_worker(number);
        });
        self.workers.push(Worker { number, stop, courier });
    }

    /// The worker to which things happen: mostly the owner.
    fn victim(&self) -> usize {
        let mut state = self.shared.lock();
        let owner = state.queue.owner.filter(|_| state.random.u8(..5) > 0);
        let place = self.workers.iter().position(|worker| Some(worker.number) == owner);
        place.unwrap_or_else(|| state.random.usize(..self.workers.len()))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Accept(draft) => {
                let notification = draft.accept(Timestamp::now());
                self.shared.accept(&notification, draft.is_probe);
                if let Some(later) = draft.again {
                    self.shared.publish_again(&notification, later);
                }
            }
            Event::Cancel(id) => {
                let link = Link { shared: self.shared.clone(), worker: self.workers[0].number };
                tokio::spawn(async move { link.cancel(id, Timestamp::now()).await });
            }
            Event::Pause(chat) => self.shared.set_paused(chat, true),
            Event::Resume(chat) => {
                self.shared.set_paused(chat, false);
                if chat.is_none() {
                    // What has come meanwhile is sent first.
                    let now = self.shared.lock().now();
                    self.shared.lock().judge.disturbed(Duration::ZERO, now + RECOVERY);
                }
            }
            Event::Fault(fault) => self.break_something(fault),
        }
    }

    fn break_something(&mut self, fault: Fault) {
        let now = {
            let mut state = self.shared.lock();
            state.note(|| format!("{fault:?}"));
            state.now()
        };
        let mut lasts = Duration::ZERO;
        match fault {
            Fault::Kill => self.kill(),
            Fault::Stop => {
                let worker = self.workers.remove(self.victim());
                worker.stop.cancel();
                lasts = GRACE;
            }
            Fault::Disconnect(span) => {
                lasts = span;
                self.disconnect(span);
            }
            Fault::Away(part, span) => {
                lasts = span;
                self.shared.lock().take_away(part, now + span);
            }
            Fault::Pulses(part, span, pulse) => {
                lasts = span + pulse;
                self.pulses(part, span, pulse);
            }
            Fault::Weather(weather, span) => {
                lasts = span;
                self.shared.lock().telegram.turn(weather);
                let shared = self.shared.clone();
                tokio::spawn(async move {
                    sleep(span).await;
                    shared.lock().telegram.turn(Weather::Fair);
                });
            }
            Fault::ForgetFileIds => self.shared.lock().telegram.forget_file_ids(),
            Fault::Migrate(group) => {
                self.shared.lock().telegram.migrated.insert(group, group - 1_000_000);
            }
        }
        if let Fault::Kill | Fault::Stop = fault {
            // Another is there at once: that it starts late is told by how long the bot has no owner.
            self.start_worker();
        }
        self.shared.lock().judge.disturbed(now, now + lasts + RECOVERY);
    }

    /// A worker dies; the broker sees it at once or after a moment.
    fn kill(&mut self) {
        let worker = self.workers.remove(self.victim());
        worker.courier.abort();
        let shared = self.shared.clone();
        let unseen = {
            let mut state = shared.lock();
            state.end_worker(worker.number);
            Duration::from_millis(state.random.u64(..1_000))
        };
        tokio::spawn(async move {
            sleep(unseen).await;
            let owned = shared.lock().queue.leave(worker.number);
            if owned {
                shared.elect_later();
            }
        });
    }

    /// A worker loses its connection: it notices first, and the broker up to 6 s later, or both at once.
    fn disconnect(&mut self, span: Duration) {
        let (shared, worker) = (self.shared.clone(), self.workers[self.victim()].number);
        let unseen = {
            let mut state = shared.lock();
            Duration::from_millis(if state.random.bool() { 0 } else { state.random.u64(..6_000) })
        };
        shared.lock().queue.cut(worker);
        tokio::spawn(async move {
            sleep(unseen).await;
            let owned = shared.lock().queue.disown(worker);
            if owned {
                shared.elect_later();
            }
            sleep(span).await;
            shared.lock().queue.reconnect(worker);
            shared.elect_later();
        });
    }

    fn pulses(&self, part: Part, span: Duration, pulse: Duration) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let end = shared.lock().now() + span;
            loop {
                let now = shared.lock().now();
                if now >= end {
                    return;
                }
                shared.lock().stall(part, now + pulse);
                sleep(pulse + Duration::from_millis(2)).await;
            }
        });
    }
}
