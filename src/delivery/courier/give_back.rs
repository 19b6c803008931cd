//! What leaves the courier without having been sent: expired notifications, acks of copies, and what goes back to the
//! queue.

use super::send_job::send_job;
use super::state::Courier;
use crate::delivery::attempt::{self, AttemptRun};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::scheduler::DeferredJob;
use crate::delivery::timeouts::RETRY_BACKOFF;
use crate::domain::{Deferral, Notification, Timestamp};
use crate::ports::{QueueError, Receipt};
use std::time::Duration;
use tracing::Instrument;

/// What has not been sent for so long goes back to the queue: a broker closes the channel of a consumer that holds a
/// delivery for half an hour (RabbitMQ).
const MAX_UNACKED_TIME: Duration = Duration::from_secs(1_200);
/// When it is delivered again then: soon, since its chat waits for it.
const RETURN_DELAY: Duration = Duration::from_secs(2);

impl Courier {
    /// Expires those that wait here and will not have their turn in time, and gives back what has waited for too long.
    pub(super) fn expire_and_return_overdue(&mut self) {
        let now = self.now();
        let waiting = self.held.iter().filter(|(_, held)| !held.in_flight);
        let overdue = waiting.filter_map(|(id, held)| {
            let missed_turn = self.missed_turn(now, &held.notification);
            (missed_turn.is_some() || now - held.since >= MAX_UNACKED_TIME).then_some((*id, missed_turn))
        });
        let mut overdue: Vec<_> = overdue.collect();
        // In the order of their ids, so that they come back in it.
        overdue.sort_unstable_by_key(|(id, _)| *id);
        for (id, missed_turn) in overdue {
            let Some(held) = self.held.remove(&id) else { continue };
            let job = send_job(&self.context.bot, &held.notification, self.epoch);
            if let Some(turn) = missed_turn {
                self.scheduler.remove(now, &job);
                self.spawn_expire(held.notification, held.receipt, turn);
            } else if let Some(deferred) = self.scheduler.defer(now, &job, now + RETURN_DELAY) {
                self.spawn_defer(now, held.notification, held.receipt, deferred);
            } else {
                self.held.insert(id, held);
            }
        }
    }

    /// Puts back what chats hold beyond their shares, when the window fills.
    pub(super) fn shed(&mut self, now: MonoTime) {
        for deferred in self.scheduler.shed(now) {
            if let Some(held) = self.held.remove(&deferred.id) {
                self.spawn_defer(now, held.notification, held.receipt, deferred);
            }
        }
    }

    /// When a notification would have been sent, if it is to be given up: its time is over, or its caller waits and its
    /// turn will not come in time.
    pub(super) fn missed_turn(&self, now: MonoTime, notification: &Notification) -> Option<Timestamp> {
        let wall = Timestamp::now();
        let expired = notification.expires_at <= wall;
        if !expired && notification.reply_to.is_none() {
            return None;
        }
        let job = send_job(&self.context.bot, notification, self.epoch);
        let turn = wall.plus(self.scheduler.estimate_turn(now, &job) - now);
        (expired || turn > notification.expires_at).then_some(turn)
    }

    /// Records that it has expired; `turn` is when it would have been sent. A caller who waits is told a turn of its own.
    pub(super) fn spawn_expire(&mut self, notification: Notification, receipt: Receipt, turn: Timestamp) {
        let turn = match notification.reply_to {
            Some(_) => self.promised.promise(Timestamp::now(), &notification.chat_id, turn),
            None => turn,
        };
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %notification.bot);
        let being_recorded = self.expiring.add(notification.id);
        let run = AttemptRun::new(self.context.clone(), notification, receipt);
        let expire = async move {
            run.expire(turn).await;
            drop(being_recorded);
        };
        tokio::spawn(expire.instrument(span));
    }

    /// Acks a copy.
    pub(super) fn spawn_ack(&self, receipt: Receipt) {
        let context = self.context.clone();
        tokio::spawn(async move { attempt::ack(&context, &receipt).await });
    }

    /// Puts one back until its turn, or until it expires: that is to be said in time too.
    pub(super) fn spawn_defer(
        &self,
        now: MonoTime,
        mut notification: Notification,
        receipt: Receipt,
        deferred: DeferredJob,
    ) {
        let going_back = self.deferring.begin(notification.memory_bytes());
        let queue = self.context.ports.queue.clone();
        let until = Timestamp::now().plus(deferred.until - now).min(notification.expires_at);
        notification.deferral = Some(Deferral { epoch: receipt.epoch, number: deferred.number });
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %notification.bot);
        let defer = async move {
            let mut backoff = RETRY_BACKOFF.start();
            let _turn = going_back.turn().await;
            loop {
                match queue.defer(&receipt, &notification, until).await {
                    Ok(()) => return tracing::debug!(%until, "deferred to its turn"),
                    Err(QueueError::Stale) => return,
                    Err(error) => {
                        tracing::warn!(%error, "cannot defer yet");
                        backoff.wait().await;
                    }
                }
            }
        };
        tokio::spawn(defer.instrument(span));
    }
}
