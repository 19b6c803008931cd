//! How attempts end, and what that means for scheduler, circuit breaker and queue.

use super::state::{Courier, EndedAttempt, HeldDelivery};
use crate::delivery::attempt::AttemptRun;
use crate::delivery::classification::UpstreamHealth;
use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::delivery::timeouts::RETRY_BACKOFF;
use crate::domain::{ChatId, Notification, NotificationId};
use crate::ports::FileIds;
use tokio::task::{Id, JoinError};

/// How many attempts at a notification may panic before it is buried.
const MAX_PANICS: u32 = 3;

impl Courier {
    pub(super) fn end_attempt(&mut self, ended: Result<(Id, EndedAttempt), JoinError>) {
        match ended {
            Ok((task, ended)) => {
                self.in_flight.remove(&task);
                self.apply(ended);
            }
            Err(error) => {
                if let Some(id) = self.in_flight.remove(&error.id()) {
                    self.record_panic(id);
                }
            }
        }
    }

    /// Lets scheduler, circuit breaker and queue know how an attempt ended.
    fn apply(&mut self, ended: EndedAttempt) {
        let EndedAttempt { notification, receipt, report } = ended;
        let (id, now) = (notification.id, self.now());
        self.record_upstream_health(now, report.upstream_health);
        for (key, refused) in &report.refused {
            self.scheduler.uploads.evict(key, refused);
        }
        let Some(mut held) = self.held.remove(&id) else {
            return self.scheduler.finish(now, id, NextStep::Abandon, report.file_ids, report.has_left);
        };
        let owned = Some(held.receipt.epoch) == self.epoch;
        match report.next {
            NextStep::Done => {
                self.recently_finished.put((id, notification.accepted_at), ());
                self.panics.remove(&id);
                if owned && held.receipt != receipt {
                    // It was delivered again while it was in flight.
                    self.spawn_ack(held.receipt.clone());
                }
                self.let_go(now, *held, NextStep::Done, report.file_ids, report.has_left);
            }
            // It comes back from the queue to whoever owns the bot now.
            _ if !owned => self.let_go(now, *held, NextStep::Abandon, report.file_ids, report.has_left),
            next => {
                if let NextStep::Migrate(to) = &next {
                    self.migrate(&held.notification.chat_id, to);
                }
                held.notification = notification;
                self.keep_for_retry(now, held, next, report.file_ids, report.has_left);
            }
        }
    }

    /// Holds a notification no longer; takes the one that was accepted in its place, if there is one.
    fn let_go(&mut self, now: MonoTime, held: HeldDelivery, step: NextStep, file_ids: FileIds, has_left: bool) {
        self.scheduler.finish(now, held.notification.id, step, file_ids, has_left);
        if let Some(resubmitted) = held.resubmitted {
            self.receive(*resubmitted);
        }
    }

    /// Lets a notification wait here for its next attempt, or in the queue if that is far off.
    fn keep_for_retry(
        &mut self,
        now: MonoTime,
        mut held: Box<HeldDelivery>,
        next: NextStep,
        file_ids: FileIds,
        has_left: bool,
    ) {
        let postponed = matches!(next, NextStep::Postpone(_) | NextStep::AwaitPart(_));
        held.postponements = if postponed { held.postponements.saturating_add(1) } else { 0 };
        held.in_flight = false;
        if let Some(resubmitted) = held.resubmitted.take() {
            // It has not ended after all; the newer acceptance goes on in its place.
            let chat_id = held.notification.chat_id;
            held.notification = Notification { chat_id, ..resubmitted.notification };
            self.spawn_ack(std::mem::replace(&mut held.receipt, resubmitted.receipt));
        }
        let (id, chat) = (held.notification.id, held.notification.chat_id.clone());
        self.held.insert(id, held);
        self.scheduler.finish(now, id, next, file_ids, has_left);
        self.departures.hold_for(self.scheduler.frozen_for(now));
        // Callers whose turn is too late now are told so first; what is left goes back to the queue.
        self.expire_and_return_overdue();
        for deferred in self.scheduler.take_long_waiting(now, &chat) {
            if let Some(held) = self.held.remove(&deferred.id) {
                self.spawn_defer(now, held.notification, held.receipt, deferred);
            }
        }
        self.shed(now);
    }

    /// Lets those go that wait for a part of ours: it is back.
    pub(super) fn wake_awaiting_part(&mut self) {
        let now = self.now();
        let woken = self.scheduler.wake_awaiting_part(now);
        tracing::info!(bot = %self.context.bot.name, woken, "a part that was away is back");
    }

    /// The other notifications that wait here for a chat that has migrated go to its new id; the attempt has
    /// changed its own, and what waits in the queue finds out by itself.
    fn migrate(&mut self, from: &ChatId, to: &ChatId) {
        for other in self.held.values_mut().filter(|other| other.notification.chat_id == *from) {
            other.notification.chat_id = to.clone();
        }
    }

    fn record_upstream_health(&mut self, now: MonoTime, health: UpstreamHealth) {
        let (breaker, metrics, bot) = (&mut self.scheduler.breaker, &self.context.metrics, self.context.bot_label());
        let held = metrics.held.with_label_values(&[bot]);
        match health {
            UpstreamHealth::Answering => {
                if breaker.record_answer() {
                    tracing::info!(%bot, "Telegram answers again");
                }
                held.set(0);
            }
            UpstreamHealth::Failing => {
                let was_open = breaker.is_open();
                breaker.record_failure(now);
                if breaker.is_open() && !was_open {
                    tracing::warn!(%bot, "Telegram does not answer: one probe at a time goes out, and the rest waits");
                }
            }
            UpstreamHealth::BotRefused => {
                tracing::error!(%bot, "Telegram refuses the bot: check its token");
                breaker.trip(now);
                held.set(1);
            }
            UpstreamHealth::Unknown => breaker.record_inconclusive(),
        }
        metrics.breaker_open.with_label_values(&[bot]).set(i64::from(breaker.is_open()));
    }

    /// An attempt panicked: that counts as a failed one, and after a few the notification is buried.
    fn record_panic(&mut self, id: NotificationId) {
        let now = self.now();
        self.scheduler.breaker.record_inconclusive();
        let panics = self.panics.entry(id).or_default();
        *panics += 1;
        let panics = *panics;
        let Some(mut held) = self.held.remove(&id) else { return };
        tracing::error!(notification = %id, crashes = panics, "an attempt crashed");
        if Some(held.receipt.epoch) != self.epoch {
            // It comes back from the queue.
            return self.let_go(now, *held, NextStep::Abandon, FileIds::new(), true);
        }
        if panics < MAX_PANICS {
            held.in_flight = false;
            self.held.insert(id, held);
            let pause = RETRY_BACKOFF.pause(panics, 1.0);
            return self.scheduler.finish(now, id, NextStep::Retry(pause), FileIds::new(), true);
        }
        self.panics.remove(&id);
        self.recently_finished.put((id, held.notification.accepted_at), ());
        let run = AttemptRun::new(self.context.clone(), held.notification, held.receipt);
        tokio::spawn(async move { run.bury(&format!("crashed its courier {panics} times")).await });
        self.scheduler.finish(now, id, NextStep::Done, FileIds::new(), true);
    }
}
