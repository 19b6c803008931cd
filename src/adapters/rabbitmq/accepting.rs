//! Storing what a caller waits for. On a cluster this depends on no single node: a notification whose queue does not confirm,
//! because its leader is on a frozen node, goes by the detour of a node that answers, and one whose node does not answer at all
//! by another node.
//!
//! So a notification may come to its courier twice, which drops the second copy, or after a later one, which the ledger then
//! keeps back. From its detour it comes by itself, but only a minute after its queue has another leader, or when the frozen
//! node goes on: the broker, too, waits for the former leader. So it is published again as soon as its queue confirms.

use super::amqp::REQUEST_TIMEOUT;
use super::broker::{Broker, blocked, not_confirmed, result_of, to_body};
use super::in_flight::PublishUse;
use super::message::notification_properties;
use super::publishing::Destination;
use super::session::Session;
use super::silent_queues::Detoured;
use super::topology::BotQueue;
use crate::domain::Notification;
use crate::ports::QueueError;
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::ShortString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// How long to wait for a confirm before trying another way. A queue whose leader was killed has another within a second or
/// less, one whose leader is frozen after ten (measured with RabbitMQ 3.10 and 4.0).
const PATIENCE: Duration = Duration::from_millis(500);

/// Before another try to publish what went by a detour.
const RESEND_INTERVAL: Duration = Duration::from_secs(1);

/// Why one way failed.
enum WayFailed {
    /// No confirm has come.
    Silent,
    /// The queue takes no more. One that loses its leader says so too.
    Full(QueueError),
    /// Something else; another node may do better.
    Unavailable(QueueError),
    /// No way would do better.
    Blocked,
}

/// The two ways of a message.
struct Ways {
    body: Bytes,
    properties: BasicProperties,
    straight: (PublishUse, Destination),
    detour: (PublishUse, Destination),
    /// Whether one of them may have taken it, though it has not confirmed.
    is_in_doubt: AtomicBool,
}

impl Broker {
    /// Stores a notification that somebody waits for, to be delivered no earlier than its `send_at`, within
    /// [`REQUEST_TIMEOUT`].
    pub(super) async fn accept(&self, notification: &Notification) -> Result<(), QueueError> {
        let (body, bot) = (to_body(notification)?, notification.bot.clone());
        let queue = BotQueue::Lane(notification.lane).for_body(&body);
        let (destination, due) = Self::route(notification, queue, notification.send_at);
        let properties = notification_properties(notification, due);
        let publish_use = PublishUse::Accept(bot.clone());
        if !self.is_on_cluster() {
            return self.publish(publish_use, destination, body, properties).await;
        }
        let straight = (publish_use, destination);
        let detour = (PublishUse::Detour(bot.clone()), Destination::Detour(bot, queue));
        let ways = Ways { body, properties, straight, detour, is_in_doubt: AtomicBool::new(false) };
        let accepted = timeout(REQUEST_TIMEOUT, self.accept_by(&ways)).await.unwrap_or(Err(None));
        self.note_timeout(matches!(accepted, Err(None)));
        accepted.map_err(|reason| match reason {
            None => not_confirmed(),
            Some(QueueError::Full(reason) | QueueError::Unavailable(reason)) if ways.is_in_doubt() => {
                QueueError::Unconfirmed(reason)
            }
            Some(error) => error,
        })
    }

    /// Tries one node after the other, on each first the straight way, unless the queue is known to be silent. The error is
    /// `None` if there was no answer at all.
    async fn accept_by(&self, ways: &Ways) -> Result<(), Option<QueueError>> {
        let (mut first, mut second) = self.publishing_sessions()?;
        let queue = ways.straight.1.queue(&self.topology);
        // On a session that is newer than the silence, more than the queue may not answer.
        if self.silent_queues.is_noted(&queue)
            && let Some(second) = &mut second
            && second.confirms.last_answer() > first.confirms.last_answer()
        {
            std::mem::swap(&mut first, second);
        }
        let goes_straight = !self.silent_queues.is_silent(&queue, Instant::now());
        let (mut reason, mut refused) = (None, false);
        let others = [second.clone(), Some(first.clone())];
        for (session, other) in [Some(first), second].into_iter().zip(others) {
            let Some(session) = session else { break };
            if goes_straight {
                match session.publish_within(PATIENCE, ways, &ways.straight).await {
                    Ok(()) => {
                        if self.silent_queues.forget(&queue) {
                            info!(%queue, "the queue confirms again");
                        }
                        return Ok(());
                    }
                    Err(WayFailed::Silent) => {}
                    Err(WayFailed::Full(error)) if self.silent_queues.is_full(&queue, Instant::now()) => {
                        return Err(Some(error));
                    }
                    Err(WayFailed::Full(error)) => (reason, refused) = (Some(error), true),
                    Err(WayFailed::Blocked) => return Err(Some(blocked())),
                    Err(WayFailed::Unavailable(error)) => {
                        reason = Some(error);
                        continue;
                    }
                }
            }
            if session.detour.get().is_none() {
                continue;
            }
            let begun = Instant::now();
            match Box::pin(session.publish_within(PATIENCE, ways, &ways.detour)).await {
                Ok(()) => {
                    if goes_straight && self.silent_queues.note(&queue, refused, Instant::now()) {
                        warn!(%queue, "the queue does not confirm: what is accepted for it goes by a detour");
                    }
                    self.silent_queues.remember(ways.detoured(queue));
                    return Ok(());
                }
                Err(WayFailed::Silent) => session.has_not_confirmed(begun, other.as_deref()),
                Err(WayFailed::Blocked) => return Err(Some(blocked())),
                Err(WayFailed::Unavailable(error) | WayFailed::Full(error)) => reason = Some(error),
            }
        }
        Err(reason)
    }

    /// Publishes what went by a detour once more, when its queue confirms again.
    pub(super) async fn resend_detoured(self: Arc<Self>) {
        let resend = async {
            loop {
                let message = self.silent_queues.next_detoured().await;
                let (destination, properties) = (message.destination.clone(), message.properties.clone());
                if self.publish(PublishUse::Other, destination, message.body.clone(), properties).await.is_err() {
                    self.silent_queues.remember(message);
                    sleep(RESEND_INTERVAL).await;
                }
            }
        };
        self.stop.run_until_cancelled(resend).await;
    }
}

impl Ways {
    fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Relaxed)
    }

    fn detoured(&self, queue: ShortString) -> Detoured {
        let (destination, properties) = (self.straight.1.clone(), self.properties.clone());
        Detoured { queue, destination, body: self.body.clone(), properties }
    }
}

impl Session {
    async fn publish_within(
        &self,
        patience: Duration,
        ways: &Ways,
        (publish_use, destination): &(PublishUse, Destination),
    ) -> Result<(), WayFailed> {
        if self.is_blocked() {
            return Err(WayFailed::Blocked);
        }
        let Ways { body, properties, is_in_doubt, .. } = ways;
        let published = self.publish(publish_use.clone(), destination.clone(), body.clone(), properties.clone());
        let published = timeout(patience, published).await.map(result_of);
        if matches!(published, Err(_) | Ok(Err(QueueError::Unconfirmed(_)))) {
            is_in_doubt.store(true, Ordering::Relaxed);
        }
        match published {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error @ QueueError::Full(_))) => Err(WayFailed::Full(error)),
            Ok(Err(error)) => Err(WayFailed::Unavailable(error)),
            Err(_) if self.is_blocked() => Err(WayFailed::Blocked),
            Err(_) => Err(WayFailed::Silent),
        }
    }
}
