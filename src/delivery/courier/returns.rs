//! What leaves the courier without having been sent: acks of copies, expiry, and what goes back to the queue.

use super::Courier;
use crate::delivery::attempt::{self, Errand};
use crate::delivery::retry;
use crate::domain::{Notification, Timestamp};
use crate::ports::{QueueError, Receipt};
use std::time::Duration;
use tracing::Instrument;

/// What has not been sent for so long goes back to the queue: a broker closes the channel of who holds a delivery for
/// half an hour (RabbitMQ).
const LONGEST_UNACKED: Duration = Duration::from_secs(600);
const SENT_BACK: Duration = Duration::from_secs(60);

impl Courier {
    /// Says of those that wait here that they have expired, and gives back what has waited for too long.
    pub(super) fn look_round(&mut self) {
        let now = self.now();
        let waiting = self.held.iter().filter(|(_, held)| !held.flying);
        let over = waiting.filter_map(|(id, held)| {
            let given_up = self.given_up(now, &held.notification);
            (given_up.is_some() || now - held.since >= LONGEST_UNACKED).then_some((*id, given_up))
        });
        let over: Vec<_> = over.collect();
        for (id, given_up) in over {
            let Some(held) = self.held.remove(&id) else { continue };
            self.scheduler.remove(now, &held.notification.chat_id, id);
            match given_up {
                Some(turn) => self.expire(held.notification, held.receipt, turn),
                None => self.spawn_defer(held.notification, held.receipt, SENT_BACK),
            }
        }
    }

    /// Says that its time is over; `turn` is when it would have been sent.
    pub(super) fn expire(&mut self, mut notification: Notification, receipt: Receipt, turn: Timestamp) {
        let desk = self.desk.clone();
        let span = tracing::info_span!("delivery", notification = %notification.id, bot = %desk.bot.name);
        let expire = async move {
            let errand = Errand { desk: &desk, notification: &mut notification, receipt: &receipt, away: false };
            errand.expire(turn).await;
        };
        tokio::spawn(expire.instrument(span));
    }

    /// Acks a copy.
    pub(super) fn spawn_ack(&self, receipt: Receipt) {
        let desk = self.desk.clone();
        tokio::spawn(async move { attempt::ack(&desk, &receipt).await });
    }

    /// Puts one back until its turn, or until it expires: that is to be said in time too.
    pub(super) fn spawn_defer(&self, notification: Notification, receipt: Receipt, wait: Duration) {
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
}
