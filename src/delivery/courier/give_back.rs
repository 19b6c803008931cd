//! What leaves the courier without having been sent: expired notifications, acks of copies, and what goes back to the
//! queue.

use super::send_job::send_job;
use super::state::Courier;
use crate::delivery::attempt::{self, AttemptRun};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::timeouts::RETRY_BACKOFF;
use crate::domain::{Notification, Timestamp};
use crate::ports::{QueueError, Receipt};
use std::time::Duration;
use tracing::Instrument;

/// What has not been sent for so long goes back to the queue: a broker closes the channel of a consumer that holds a
/// delivery for half an hour (RabbitMQ).
const MAX_UNACKED_TIME: Duration = Duration::from_secs(600);
/// When it is delivered again then.
const RETURN_DELAY: Duration = Duration::from_secs(60);

impl Courier {
    /// Expires those that wait here and will not have their turn in time, and gives back what has waited for too long.
    pub(super) fn expire_and_return_overdue(&mut self) {
        let now = self.now();
        let waiting = self.held.iter().filter(|(_, held)| !held.in_flight);
        let overdue = waiting.filter_map(|(id, held)| {
            let missed_turn = self.missed_turn(now, &held.notification);
            (missed_turn.is_some() || now - held.since >= MAX_UNACKED_TIME).then_some((*id, missed_turn))
        });
        let overdue: Vec<_> = overdue.collect();
        for (id, missed_turn) in overdue {
            let Some(held) = self.held.remove(&id) else { continue };
            self.scheduler.remove(now, &held.notification.chat_id, id);
            match missed_turn {
                Some(turn) => self.spawn_expire(held.notification, held.receipt, turn),
                None => self.spawn_defer(held.notification, held.receipt, RETURN_DELAY),
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
        let turn = wall.plus(self.scheduler.estimate_turn(now, &send_job(&self.context.bot, notification)) - now);
        (expired || turn > notification.expires_at).then_some(turn)
    }

    /// Records that it has expired; `turn` is when it would have been sent.
    pub(super) fn spawn_expire(&self, notification: Notification, receipt: Receipt, turn: Timestamp) {
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %notification.bot);
        let run = AttemptRun::new(self.context.clone(), notification, receipt);
        tokio::spawn(run.expire(turn).instrument(span));
    }

    /// Acks a copy.
    pub(super) fn spawn_ack(&self, receipt: Receipt) {
        let context = self.context.clone();
        tokio::spawn(async move { attempt::ack(&context, &receipt).await });
    }

    /// Puts one back until its turn, or until it expires: that is to be said in time too.
    pub(super) fn spawn_defer(&self, notification: Notification, receipt: Receipt, wait: Duration) {
        let queue = self.context.ports.queue.clone();
        let until = Timestamp::now().plus(wait).min(notification.expires_at);
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %notification.bot);
        let defer = async move {
            let mut backoff = RETRY_BACKOFF.start();
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
