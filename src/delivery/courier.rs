//! The courier of one bot: takes deliveries while it owns the bot, lets the scheduler say who is next, makes attempts,
//! and gives back what must wait for long.

use super::attempt::{self, Desk, Errand, Report, Standing, Step, Weather};
use super::clock::Moment;
use super::retry;
use super::scheduler::{Finish, Next, Push, Scheduler, Ticket};
use crate::domain::{Notification, NotificationId, Timestamp};
use crate::ports::{Attendance, Delivered, QueueError, Receipt};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often expired ones are looked for among those that wait here.
const ROUND: Duration = Duration::from_secs(1);
/// A loop that stood still for so long may have been frozen while its bot got a new owner (a broker with a heartbeat of
/// 5 s gives it away after 11 s): let the news of that arrive before anything is sent.
const STOOD_STILL: Duration = Duration::from_secs(7);
const CATCH_UP: Duration = Duration::from_secs(2);
/// How many times a notification may crash its attempt before it is buried.
const CRASHES: u32 = 3;
/// A part of ours that stays away is asked again after 1, 2, 4 … 128 s; beyond [`super::scheduler::LONGEST_HOLD`] what
/// waits for it goes back to the queue and makes room for what need not wait.
const LONGEST_PUT_OFF: u32 = 7;
/// What has not been sent for so long goes back to the queue: a broker closes the channel of who holds a delivery for
/// half an hour (RabbitMQ).
const LONGEST_UNACKED: Duration = Duration::from_secs(600);
const SENT_BACK: Duration = Duration::from_secs(60);
/// How many finished ids are remembered, so that a redelivery is acked even while the ledger is away.
const REMEMBERED: usize = 20_000;

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
    successor: Option<Delivered>,
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
        }
    }

    /// Works until told to stop, then finishes what is in flight within the grace period and gives the rest back.
    /// Returns how many attempts had to be cut off.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) -> usize {
        let mut faults = 0;
        let mut attendance = loop {
            match self.desk.queue.attend(&self.desk.bot.name, self.window).await {
                Ok(attendance) => break attendance,
                Err(error) => {
                    faults += 1;
                    tracing::warn!(bot = %self.desk.bot.name, %error, "cannot attend yet");
                    tokio::select! {
                        () = stop.cancelled() => return 0,
                        () = tokio::time::sleep(retry::backoff(faults, fastrand::f64())) => {}
                    }
                }
            }
        };
        self.work(&mut attendance, &stop).await;
        let late = self.wind_up(grace).await;
        drop(attendance);
        late
    }

    async fn work(&mut self, attendance: &mut Attendance, stop: &CancellationToken) {
        let mut round = tokio::time::interval(ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_loop = Instant::now();
        self.follow_ownership(*attendance.ownership.borrow_and_update());
        loop {
            let wake = self.dispatch(attendance);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = attendance.ownership.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.follow_ownership(*attendance.ownership.borrow_and_update());
                }
                Some(ended) = self.attempts.join_next_with_id() => self.end_attempt(ended),
                delivered = attendance.deliveries.recv() => match delivered {
                    Some(delivered) => {
                        // The delivery may be of an ownership whose news has not been looked at yet.
                        self.follow_ownership(*attendance.ownership.borrow_and_update());
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
        self.scheduler.clear();
        self.held.retain(|_, held| held.flying);
        self.desk.metrics.owned.with_label_values(&[self.desk.bot.name.as_str()]).set(i64::from(epoch.is_some()));
    }

    fn receive(&mut self, delivered: Delivered) {
        let Delivered { notification, receipt, redeliveries } = delivered;
        if Some(receipt.epoch) != self.epoch {
            return;
        }
        let id = notification.id;
        let _span = tracing::info_span!("delivery", notification = %id, bot = %notification.bot).entered();
        if self.held.contains_key(&id) {
            return self.receive_again(Delivered { notification, receipt, redeliveries });
        }
        if self.finished.contains(&(id, notification.accepted_at)) {
            self.spawn_ack(receipt);
            return;
        }
        if redeliveries > 0 {
            // No reason to bury it: every restart of a worker gives a window of innocents back. What crashes its worker
            // shows as attempts that were cut off.
            tracing::debug!(redeliveries, "came back");
        }
        let now = self.now();
        if notification.expires_at <= Timestamp::now() {
            return self.expire(notification, receipt);
        }
        match self.scheduler.push(now, self.ticket(&notification)) {
            Push::Taken => {
                let held = Held { notification, receipt, since: now, flying: false, put_off: 0, successor: None };
                self.held.insert(id, held);
            }
            Push::Defer(until) => self.spawn_defer(notification, receipt, until - now),
        }
    }

    /// Takes a delivery whose id is here already.
    fn receive_again(&mut self, delivered: Delivered) {
        let Some(held) = self.held.get_mut(&delivered.notification.id) else { return };
        let (here, there) = (held.notification.accepted_at, delivered.notification.accepted_at);
        if there > here {
            // Accepted again since: what is here is the copy of an end.
            if held.flying {
                held.successor = Some(delivered);
                return;
            }
            let old = std::mem::replace(&mut held.receipt, delivered.receipt);
            held.notification = delivered.notification;
            self.spawn_ack(old);
        } else if there < here || Some(held.receipt.epoch) == self.epoch {
            // A copy of an end, or a second copy from a publisher that was not sure: one of them is enough.
            self.spawn_ack(delivered.receipt);
        } else {
            // It flew while the bot was lost and regained; the old receipt is worth nothing now.
            held.receipt = delivered.receipt;
        }
    }

    fn ticket(&self, notification: &Notification) -> Ticket {
        Ticket {
            id: notification.id,
            chat: notification.chat_id.clone(),
            lane: notification.lane,
            cost: notification.call.cost(),
            image: attempt::image_of(&self.desk.bot, notification),
        }
    }

    /// Starts every attempt that may start now; returns when to look again.
    fn dispatch(&mut self, attendance: &Attendance) -> Option<Moment> {
        // Asked before every send: an owner that has lost its bot stops at once.
        while self.epoch.is_some() && *attendance.ownership.borrow() == self.epoch {
            let away = self.scheduler.breaker.is_open();
            let dispatch = match self.scheduler.next(self.now()) {
                Next::Send(dispatch) => dispatch,
                Next::Wait(until) => return until,
            };
            let Some(held) = self.held.get_mut(&dispatch.id) else {
                let now = self.now();
                self.scheduler.breaker.inconclusive();
                self.scheduler.finish(now, dispatch.id, Finish::Skipped, None);
                continue;
            };
            held.flying = true;
            let (desk, mut notification, receipt) =
                (self.desk.clone(), held.notification.clone(), held.receipt.clone());
            let waits = &self.desk.metrics.rate_limit_wait_seconds;
            waits.with_label_values(&[self.desk.bot.name.as_str()]).observe(dispatch.waited.as_secs_f64());
            let span = tracing::info_span!("delivery", notification = %dispatch.id, bot = %notification.bot);
            let standing = Standing { ownership: attendance.ownership.clone(), epoch: receipt.epoch };
            let attempt = async move {
                let errand = Errand { desk: &desk, notification: &mut notification, receipt: &receipt, away };
                let report = errand.run(dispatch.file_id, standing).await;
                Ended { notification, receipt, report }
            };
            let handle = self.attempts.spawn(attempt.instrument(span));
            self.in_flight.insert(handle.id(), dispatch.id);
        }
        None
    }

    fn end_attempt(&mut self, ended: Result<(tokio::task::Id, Ended), tokio::task::JoinError>) {
        match ended {
            Ok((task, ended)) => {
                self.in_flight.remove(&task);
                self.apply(ended);
            }
            Err(error) => {
                let Some(id) = self.in_flight.remove(&error.id()) else { return };
                self.crashed(id);
            }
        }
    }

    /// Lets scheduler, breaker and queue know how an attempt ended.
    fn apply(&mut self, ended: Ended) {
        let Ended { notification, receipt, report } = ended;
        let id = notification.id;
        let now = self.now();
        self.note_weather(now, report.weather);
        let image = attempt::image_of(&self.desk.bot, &notification);
        if let (Some((key, _)), Some(refused)) = (&image, &report.refused_file_id) {
            self.scheduler.uploads.evict(key, refused);
        }
        let Some(mut held) = self.held.remove(&id) else { return };
        let ours = Some(held.receipt.epoch) == self.epoch;
        let finish = match report.next {
            Step::Done => {
                self.finished.insert((id, notification.accepted_at));
                self.crashes.remove(&id);
                if ours && held.receipt != receipt {
                    self.spawn_ack(held.receipt);
                }
                self.scheduler.finish(now, id, Finish::Done, report.file_id);
                if let Some(successor) = held.successor {
                    self.receive(successor);
                }
                return;
            }
            // It comes back from the queue to whoever owns the bot now.
            _ if !ours => {
                self.scheduler.finish(now, id, Finish::Skipped, report.file_id);
                if let Some(successor) = held.successor {
                    self.receive(successor);
                }
                return;
            }
            Step::NotBegun => {
                held.put_off += 1;
                Finish::NotBegun(Duration::from_secs(1 << (held.put_off - 1).min(LONGEST_PUT_OFF)))
            }
            Step::Again(wait) => Finish::Again(wait),
            Step::Flood(wait) => Finish::Flood(wait),
            Step::Migrated(to) => Finish::Migrated(to),
        };
        if let Finish::Migrated(to) = &finish {
            let old = held.notification.chat_id.clone();
            for other in self.held.values_mut().filter(|other| other.notification.chat_id == old) {
                other.notification.chat_id = to.clone();
            }
        }
        if finish_counts(&finish) {
            held.put_off = 0;
        }
        held.notification = notification;
        held.flying = false;
        if let Some(successor) = held.successor.take() {
            // It has not ended after all; the newer acceptance goes on in its place.
            held.notification = successor.notification;
            self.spawn_ack(std::mem::replace(&mut held.receipt, successor.receipt));
        }
        let chat = held.notification.chat_id.clone();
        self.held.insert(id, held);
        self.scheduler.finish(now, id, finish, report.file_id);
        for (id, until) in self.scheduler.overlong(now, &chat) {
            if let Some(held) = self.held.remove(&id) {
                self.spawn_defer(held.notification, held.receipt, until - now);
            }
        }
    }

    fn note_weather(&mut self, now: Moment, weather: Weather) {
        let breaker = &mut self.scheduler.breaker;
        match weather {
            Weather::Fair => {
                if breaker.answered() {
                    tracing::info!(bot = %self.desk.bot.name, "Telegram answers again");
                }
            }
            Weather::Foul => breaker.fault(now),
            Weather::Refused => {
                tracing::error!(bot = %self.desk.bot.name, "Telegram refuses the bot: check its token");
                breaker.trip(now);
            }
            Weather::Untold => breaker.inconclusive(),
        }
        let (metrics, bot) = (&self.desk.metrics, self.desk.bot.name.as_str());
        metrics.breaker_open.with_label_values(&[bot]).set(i64::from(self.scheduler.breaker.is_open()));
        let held = metrics.held.with_label_values(&[bot]);
        match weather {
            Weather::Refused => held.set(1),
            Weather::Fair => held.set(0),
            _ => {}
        }
    }

    /// An attempt panicked: that counts as a failed one, and after a few the notification is buried.
    fn crashed(&mut self, id: NotificationId) {
        let now = self.now();
        self.scheduler.breaker.inconclusive();
        let crashes = self.crashes.entry(id).or_default();
        *crashes += 1;
        let crashes = *crashes;
        let Some(held) = self.held.get_mut(&id) else { return };
        tracing::error!(notification = %id, crashes, "an attempt crashed");
        if Some(held.receipt.epoch) != self.epoch {
            // It comes back from the queue.
            let successor = self.held.remove(&id).and_then(|held| held.successor);
            self.scheduler.finish(now, id, Finish::Skipped, None);
            if let Some(successor) = successor {
                self.receive(successor);
            }
            return;
        }
        if crashes < CRASHES {
            held.flying = false;
            self.scheduler.finish(now, id, Finish::Again(retry::backoff(crashes, 1.0)), None);
            return;
        }
        self.crashes.remove(&id);
        if let Some(held) = self.held.remove(&id) {
            self.finished.insert((id, held.notification.accepted_at));
            let desk = self.desk.clone();
            let words = format!("crashed its courier {crashes} times");
            tokio::spawn(async move {
                let Held { mut notification, receipt, .. } = held;
                let errand = Errand { desk: &desk, notification: &mut notification, receipt: &receipt, away: false };
                errand.bury(&words).await;
            });
        }
        self.scheduler.finish(now, id, Finish::Done, None);
    }

    /// Says of those that wait here that they have expired, and gives back what has waited for too long.
    fn look_round(&mut self) {
        let (now, wall) = (self.now(), Timestamp::now());
        let waiting = self.held.iter().filter(|(_, held)| !held.flying);
        let over =
            waiting.filter(|(_, held)| held.notification.expires_at <= wall || now - held.since >= LONGEST_UNACKED);
        let over: Vec<_> = over.map(|(id, _)| *id).collect();
        for id in over {
            let Some(held) = self.held.remove(&id) else { continue };
            self.scheduler.remove(now, &held.notification.chat_id, id);
            if held.notification.expires_at <= wall {
                self.expire(held.notification, held.receipt);
            } else {
                self.spawn_defer(held.notification, held.receipt, SENT_BACK);
            }
        }
    }

    fn expire(&mut self, mut notification: Notification, receipt: Receipt) {
        let desk = self.desk.clone();
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %desk.bot.name);
        let expire = async move {
            let errand = Errand { desk: &desk, notification: &mut notification, receipt: &receipt, away: false };
            errand.expire().await;
        };
        tokio::spawn(expire.instrument(span));
    }

    fn spawn_ack(&self, receipt: Receipt) {
        let desk = self.desk.clone();
        tokio::spawn(async move { attempt::ack(&desk, &receipt).await });
    }

    /// Puts one back until its turn, or until it expires: that is to be said in time too.
    fn spawn_defer(&self, notification: Notification, receipt: Receipt, wait: Duration) {
        let queue = self.desk.queue.clone();
        let until = Timestamp::now().plus(wait).min(notification.expires_at);
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %notification.bot);
        let defer = async move {
            let mut faults = 0;
            loop {
                match queue.defer(&receipt, &notification, until).await {
                    Ok(()) => return tracing::debug!(%until, "deferred to its turn"),
                    Err(QueueError::Stale) => return,
                    Err(error) => {
                        faults += 1;
                        tracing::warn!(%error, "cannot defer yet");
                        tokio::time::sleep(retry::backoff(faults, fastrand::f64())).await;
                    }
                }
            }
        };
        tokio::spawn(defer.instrument(span));
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

/// Whether an attempt has left the house.
fn finish_counts(finish: &Finish) -> bool {
    !matches!(finish, Finish::NotBegun(_))
}

async fn sleep_until(started: Instant, moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(started + (moment - Moment::default())).await,
        None => std::future::pending().await,
    }
}

/// The newest so many that finished; one that was submitted again has a new time of acceptance.
#[derive(Default)]
struct Remembered {
    keys: HashSet<(NotificationId, Timestamp)>,
    order: VecDeque<(NotificationId, Timestamp)>,
}

impl Remembered {
    fn insert(&mut self, key: (NotificationId, Timestamp)) {
        if self.keys.insert(key) {
            self.order.push_back(key);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.keys.remove(&oldest);
            }
        }
    }

    fn contains(&self, key: &(NotificationId, Timestamp)) -> bool {
        self.keys.contains(key)
    }
}
