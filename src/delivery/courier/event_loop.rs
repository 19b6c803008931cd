//! The event loop: takes deliveries while this process owns the bot, and starts attempts as the scheduler says.

use super::state::{Courier, EndedAttempt};
use crate::delivery::attempt::{AttemptRun, OwnershipCheck, STALL_THRESHOLD};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::delivery::scheduler::{Dispatch, NextSend};
use crate::delivery::timeouts::RETRY_BACKOFF;
use crate::ports::{FileIds, Subscription};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often those that wait here are checked for their expiry.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Every how many of these checks the backlog is shown.
const BACKLOG_TICKS: u32 = 5;
/// How long to let the news of a new owner arrive after standing still, before anything is sent.
const STALL_RECOVERY_WAIT: Duration = Duration::from_secs(2);

impl Courier {
    /// Works until told to stop, then finishes what is in flight within the grace period and gives the rest back: a
    /// graceful shutdown. Does the same while the process is drained, and begins anew afterwards. Returns how many attempts had to be
    /// cut off.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) -> usize {
        loop {
            let wanted = draining_is(&mut self.context.draining, false);
            if stop.run_until_cancelled(wanted).await.is_none() {
                return 0;
            }
            let Some(mut subscription) = stop.run_until_cancelled(self.subscribe()).await else { return 0 };
            self.work(&mut subscription, &stop).await;
            let cut_off = self.drain(grace).await;
            self.hand_over().await;
            drop(subscription);
            if stop.is_cancelled() || !*self.context.draining.borrow() {
                return cut_off;
            }
            self.own(None);
        }
    }

    async fn subscribe(&self) -> Subscription {
        let mut backoff = RETRY_BACKOFF.start();
        loop {
            match self.context.ports.queue.subscribe(&self.context.bot.name, self.window).await {
                Ok(subscription) => return subscription,
                Err(error) => {
                    tracing::warn!(bot = %self.context.bot.name, %error, "cannot subscribe yet");
                    backoff.wait().await;
                }
            }
        }
    }

    async fn work(&mut self, subscription: &mut Subscription, stop: &CancellationToken) {
        let mut expiry_check = tokio::time::interval(EXPIRY_CHECK_INTERVAL);
        expiry_check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut last_awake, mut ticks) = (Instant::now(), 0);
        let mut tokens = self.context.bot.telegram().map(|telegram| telegram.token.changes());
        self.follow_ownership(subscription);
        self.follow_pauses();
        loop {
            // Read before it is judged: frozen in between, nothing leaves until the next round has looked again.
            let awake = Instant::now();
            if awake - last_awake > STALL_THRESHOLD {
                tracing::warn!(bot = %self.context.bot.name, "stood still; waiting for news of the ownership");
                tokio::time::sleep(STALL_RECOVERY_WAIT).await;
            }
            last_awake = awake;
            self.departures.note_awake(awake);
            self.hand_over_if_asked(&mut subscription.release).await;
            let wake = self.start_attempts(&subscription.ownership);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = subscription.ownership.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.follow_ownership(subscription);
                }
                Ok(()) = subscription.release.changed() => {}
                () = draining_is(&mut self.context.draining, true) => return,
                Some(ended) = self.attempts.join_next_with_id() => self.end_attempt(ended),
                delivered = subscription.deliveries.recv(), if !self.deferring.is_full() => match delivered {
                    Some(delivered) => {
                        // The delivery may be of an ownership whose news has not been looked at yet.
                        self.follow_ownership(subscription);
                        self.receive(delivered);
                    }
                    None => return,
                },
                () = self.deferring.room(), if self.deferring.is_full() => {}
                () = sleep_until(self.started, wake) => {}
                () = self.departures.freed(), if self.departures.is_crowded() => {}
                () = self.parts.returned(&self.context.ports), if self.scheduler.is_awaiting_part() => {
                    self.wake_awaiting_part();
                }
                () = changed(Some(&mut self.pauses)) => self.follow_pauses(),
                () = changed(tokens.as_mut()) => self.scheduler.breaker.hasten(self.now()),
                _ = expiry_check.tick() => {
                    self.expire_and_return_overdue();
                    self.show_pace();
                    ticks = (ticks + 1) % BACKLOG_TICKS;
                    if ticks == 0 && self.epoch.is_some() {
                        self.show_backlog();
                    }
                }
            }
        }
    }

    /// A new epoch, or none: everything that waits here comes back from the queue to whoever owns the bot then.
    fn follow_ownership(&mut self, subscription: &mut Subscription) {
        let epoch = *subscription.ownership.borrow_and_update();
        if self.epoch == epoch {
            return;
        }
        tracing::info!(bot = %self.context.bot.name, owned = epoch.is_some(), "ownership changed");
        self.own(epoch);
        if epoch.is_some() {
            self.take_over(subscription.inherited.borrow().clone());
        }
    }

    /// Owns the bot under another epoch, or not: nothing that waits here is of that.
    fn own(&mut self, epoch: Option<u64>) {
        self.epoch = epoch;
        self.owned.send_replace(epoch.is_some());
        self.scheduler.clear_waiting();
        self.held.retain(|_, held| held.in_flight);
        self.context.metrics.owned.with_label_values(&[self.context.bot_label()]).set(i64::from(epoch.is_some()));
        self.clear_backlog();
    }

    /// Starts every attempt that may start now; returns when to ask again.
    fn start_attempts(&mut self, ownership: &watch::Receiver<Option<u64>>) -> Option<MonoTime> {
        // Checked before every send: an owner that has lost its bot stops at once.
        while !self.is_handing_over && self.epoch.is_some() && *ownership.borrow() == self.epoch {
            if self.departures.is_crowded() {
                return None;
            }
            let telegram_down = self.scheduler.breaker.is_open();
            match self.scheduler.next(self.now()) {
                NextSend::Now(dispatch) => self.start_attempt(dispatch, telegram_down, ownership.clone()),
                NextSend::Wait(until) => return until,
            }
        }
        None
    }

    fn start_attempt(&mut self, dispatch: Dispatch, telegram_down: bool, ownership: watch::Receiver<Option<u64>>) {
        let Some(held) = self.held.get_mut(&dispatch.id) else {
            self.scheduler.breaker.record_inconclusive();
            return self.scheduler.finish(self.now(), dispatch.id, NextStep::Abandon, FileIds::new(), false);
        };
        held.in_flight = true;
        let run = AttemptRun::new(self.context.clone(), held.notification.clone(), held.receipt.clone());
        let (postponements, then_pause) = (held.postponements, dispatch.then_pause);
        let mut run = AttemptRun { telegram_down, postponements, then_pause, ..run };
        let waits = &self.context.metrics.rate_limit_wait_seconds;
        waits.with_label_values(&[self.context.bot_label()]).observe(dispatch.waited.as_secs_f64());
        let span = tracing::info_span!("delivery", notification = %dispatch.id, bot = %run.notification.bot);
        let owner = OwnershipCheck { ownership, epoch: run.receipt.epoch };
        let approach = self.departures.approach();
        let attempt = async move {
            let report = run.run(dispatch.file_ids, owner, approach).await;
            EndedAttempt { notification: run.notification, receipt: run.receipt, report }
        };
        let handle = self.attempts.spawn(attempt.instrument(span));
        self.in_flight.insert(handle.id(), dispatch.id);
    }

    /// Lets what has left end within the grace period, and nothing else leave; returns how many attempts did not end.
    async fn drain(&mut self, grace: Duration) -> usize {
        self.departures.close();
        let deadline = Instant::now() + grace;
        // What Telegram says meanwhile, the next owner is to be told.
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.attempts.join_next_with_id()).await {
            self.end_attempt(ended);
        }
        self.context.metrics.owned.with_label_values(&[self.context.bot_label()]).set(0);
        self.clear_backlog();
        self.attempts.len()
    }
}

async fn sleep_until(started: Instant, moment: Option<MonoTime>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(started + (moment - MonoTime::default())).await,
        None => std::future::pending().await,
    }
}

/// Completes when the process is drained, or is not; never if nobody can say so any more.
async fn draining_is(draining: &mut watch::Receiver<bool>, wanted: bool) {
    if *draining.borrow_and_update() != wanted && draining.wait_for(|draining| *draining == wanted).await.is_err() {
        std::future::pending().await
    }
}

/// Completes at the next change, never if there is nothing to change.
async fn changed<T>(changes: Option<&mut watch::Receiver<T>>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
