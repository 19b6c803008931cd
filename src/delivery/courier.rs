//! The courier of one bot: takes deliveries while it owns the bot, lets the scheduler say who is next, makes attempts,
//! and gives back what must wait for long.

mod arrivals;
mod endings;
mod remembered;
mod returns;

use super::attempt::{Desk, Errand, Report, Standing};
use super::clock::Moment;
use super::retry;
use super::scheduler::{Finish, Next, Scheduler};
use crate::domain::{Notification, NotificationId};
use crate::ports::{Delivery, FileIds, Receipt, Subscription};
use remembered::Remembered;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often expired ones are looked for among those that wait here.
const ROUND: Duration = Duration::from_secs(1);
/// A loop that stood still for so long may have been frozen while its bot got a new owner (a broker with a heartbeat of
/// 4 s gives it away after 8 to 12 s): let the news of that arrive before anything is sent.
const STOOD_STILL: Duration = Duration::from_secs(7);
const CATCH_UP: Duration = Duration::from_secs(2);

/// One bot's courier.
pub struct Courier {
    desk: Desk,
    scheduler: Scheduler,
    window: u16,
    started: Instant,
    held: HashMap<NotificationId, Held>,
    attempts: JoinSet<Ended>,
    in_flight: HashMap<tokio::task::Id, NotificationId>,
    crashes: HashMap<NotificationId, u32>,
    finished: Remembered,
    epoch: Option<u64>,
    owned: watch::Sender<bool>,
}

/// What an attempt gives back.
struct Ended {
    notification: Notification,
    /// The receipt that it has acked, if it has come to an end.
    receipt: Receipt,
    report: Report,
}

/// A notification that is here.
struct Held {
    notification: Notification,
    receipt: Receipt,
    since: Moment,
    flying: bool,
    /// How many times in a row it could not begin.
    put_off: u32,
    /// The same one as accepted again (after a cancel or an end, by a retry) while this one flew.
    successor: Option<Delivery>,
}

impl Courier {
    /// A courier that holds at most `window` notifications per lane.
    pub fn new(desk: Desk, window: u16) -> Self {
        Self {
            scheduler: Scheduler::new(desk.bot.limits, window),
            desk,
            window,
            started: Instant::now(),
            held: HashMap::new(),
            attempts: JoinSet::new(),
            in_flight: HashMap::new(),
            crashes: HashMap::new(),
            finished: Remembered::default(),
            epoch: None,
            owned: watch::Sender::new(false),
        }
    }

    /// Whether the courier owns its bot, for whatever else only the owner may do. Closed when the courier ends.
    pub fn owned(&self) -> watch::Receiver<bool> {
        self.owned.subscribe()
    }

    /// Works until told to stop, then finishes what is in flight within the grace period and gives the rest back.
    /// Returns how many attempts had to be cut off.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) -> usize {
        let mut faults = 0;
        let mut subscription = loop {
            match self.desk.queue.subscribe(&self.desk.bot.name, self.window).await {
                Ok(subscription) => break subscription,
                Err(error) => {
                    faults += 1;
                    tracing::warn!(bot = %self.desk.bot.name, %error, "cannot subscribe yet");
                    tokio::select! {
                        () = stop.cancelled() => return 0,
                        () = tokio::time::sleep(retry::backoff(faults, fastrand::f64())) => {}
                    }
                }
            }
        };
        self.work(&mut subscription, &stop).await;
        let late = self.wind_up(grace).await;
        drop(subscription);
        late
    }

    async fn work(&mut self, subscription: &mut Subscription, stop: &CancellationToken) {
        let mut round = tokio::time::interval(ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_loop = Instant::now();
        self.follow_ownership(*subscription.ownership.borrow_and_update());
        loop {
            let wake = self.dispatch(subscription);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = subscription.ownership.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.follow_ownership(*subscription.ownership.borrow_and_update());
                }
                Some(ended) = self.attempts.join_next_with_id() => self.end_attempt(ended),
                delivered = subscription.deliveries.recv() => match delivered {
                    Some(delivered) => {
                        // The delivery may be of an ownership whose news has not been looked at yet.
                        self.follow_ownership(*subscription.ownership.borrow_and_update());
                        self.receive(delivered);
                    }
                    None => return,
                },
                () = sleep_until(self.started, wake) => {}
                _ = round.tick() => self.look_round(),
            }
            if last_loop.elapsed() > STOOD_STILL {
                tracing::warn!(bot = %self.desk.bot.name, "stood still; waiting for news of the ownership");
                tokio::time::sleep(CATCH_UP).await;
            }
            last_loop = Instant::now();
        }
    }

    fn now(&self) -> Moment {
        Moment::after(self.started.elapsed())
    }

    /// A new epoch, or none: everything that waits here comes back from the queue to whoever owns the bot then.
    fn follow_ownership(&mut self, epoch: Option<u64>) {
        if self.epoch == epoch {
            return;
        }
        tracing::info!(bot = %self.desk.bot.name, owned = epoch.is_some(), "ownership changed");
        self.epoch = epoch;
        self.owned.send_replace(epoch.is_some());
        self.scheduler.clear();
        self.held.retain(|_, held| held.flying);
        self.desk.metrics.owned.with_label_values(&[self.desk.bot.name.as_str()]).set(i64::from(epoch.is_some()));
    }

    /// Starts every attempt that may start now; returns when to look again.
    fn dispatch(&mut self, subscription: &Subscription) -> Option<Moment> {
        // Asked before every send: an owner that has lost its bot stops at once.
        while self.epoch.is_some() && *subscription.ownership.borrow() == self.epoch {
            let away = self.scheduler.breaker.is_open();
            let dispatch = match self.scheduler.next(self.now()) {
                Next::Send(dispatch) => dispatch,
                Next::Wait(until) => return until,
            };
            let Some(held) = self.held.get_mut(&dispatch.id) else {
                let now = self.now();
                self.scheduler.breaker.inconclusive();
                self.scheduler.finish(now, dispatch.id, Finish::Skipped, FileIds::new());
                continue;
            };
            held.flying = true;
            let (desk, mut notification, receipt) =
                (self.desk.clone(), held.notification.clone(), held.receipt.clone());
            let waits = &self.desk.metrics.rate_limit_wait_seconds;
            waits.with_label_values(&[self.desk.bot.name.as_str()]).observe(dispatch.waited.as_secs_f64());
            let span = tracing::info_span!("delivery", notification = %dispatch.id, bot = %notification.bot);
            let standing = Standing { ownership: subscription.ownership.clone(), epoch: receipt.epoch };
            let attempt = async move {
                let errand = Errand { desk: &desk, notification: &mut notification, receipt: &receipt, away };
                let report = errand.run(dispatch.file_ids, standing).await;
                Ended { notification, receipt, report }
            };
            let handle = self.attempts.spawn(attempt.instrument(span));
            self.in_flight.insert(handle.id(), dispatch.id);
        }
        None
    }

    /// Lets what is in flight end within the grace period.
    async fn wind_up(mut self, grace: Duration) -> usize {
        let deadline = Instant::now() + grace;
        while !self.attempts.is_empty() {
            match tokio::time::timeout_at(deadline, self.attempts.join_next()).await {
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let late = self.attempts.len();
        self.desk.metrics.owned.with_label_values(&[self.desk.bot.name.as_str()]).set(0);
        late
    }
}

async fn sleep_until(started: Instant, moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(started + (moment - Moment::default())).await,
        None => std::future::pending().await,
    }
}
