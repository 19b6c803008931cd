//! What subscriptions and the queue share: the two connections, every kind of publish, and what is out unacked.

use super::amqp::{REQUEST_TIMEOUT, error_text};
use super::connection::BrokerConnection;
use super::delay_levels;
use super::depths::Depths;
use super::in_flight::PublishUse;
use super::message::{NotificationMessage, notification_properties, persistent_properties};
use super::ownership_token::OwnershipToken;
use super::presence::Presence;
use super::publish_outcome::PublishOutcome;
use super::publishing::Destination;
use super::release::Releases;
use super::session::Session;
use super::silent_queues::SilentQueues;
use super::stakes::Stakes;
use super::topology::{BotQueue, Topology, long_string};
use super::unacked::UnackedByBot;
use crate::domain::{BotName, Notification, Timestamp};
use crate::ports::{JournalEntry, QueueError};
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::FieldTable;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// For so long after a publish whose confirm timed out, [`Broker::ready`] says no.
const UNREADY_AFTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Why nothing is published at the moment.
const BLOCKED: &str = "RabbitMQ takes no messages (memory or disk alarm)";

/// Before a message that could not be moved to another queue is moved again; varied at random by a half.
const MOVE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Broker {
    pub(super) topology: Arc<Topology>,
    /// Publishing has connections of its own: one that an alarm blocks takes no acks either.
    pub(super) publishing: BrokerConnection,
    /// On a cluster, a second one to another node. Both are in use, since only channels that have published to a queue before
    /// learn in time that it has another leader.
    second_publishing: Option<BrokerConnection>,
    turn: AtomicUsize,
    pub(super) silent_queues: SilentQueues,
    pub(super) consuming: BrokerConnection,
    /// Where there are more bots than one connection has channels for.
    more_consuming: Vec<BrokerConnection>,
    pub(super) unacked: UnackedByBot,
    pub(super) depths: Depths,
    pub(super) releases: Releases,
    pub(super) stakes: Stakes,
    pub(super) presence: Presence,
    /// The name of this process in ownership tokens.
    pub(super) worker: String,
    pub(super) stop: CancellationToken,
    /// When the last publish timed out, if it did.
    last_timeout: Mutex<Option<Instant>>,
}

impl Broker {
    pub(super) fn new(
        topology: Arc<Topology>,
        publishing: BrokerConnection,
        second_publishing: Option<BrokerConnection>,
        (consuming, more_consuming): (BrokerConnection, Vec<BrokerConnection>),
        stop: CancellationToken,
    ) -> Self {
        let worker = format!("{:016x}", fastrand::u64(..));
        Self {
            topology,
            publishing,
            second_publishing,
            turn: AtomicUsize::new(0),
            silent_queues: SilentQueues::default(),
            consuming,
            more_consuming,
            unacked: UnackedByBot::default(),
            depths: Depths::new(),
            releases: Releases::default(),
            stakes: Stakes::default(),
            presence: Presence::new(),
            worker,
            stop,
            last_timeout: Mutex::default(),
        }
    }

    /// The connection on which the bot of a stake is consumed.
    pub(super) fn consuming_of(&self, stake: u64) -> &BrokerConnection {
        let connections = self.more_consuming.len() as u64 + 1;
        match stake % connections {
            0 => &self.consuming,
            turn => &self.more_consuming[turn as usize - 1],
        }
    }

    /// Whether there is more than one node.
    pub(super) fn is_on_cluster(&self) -> bool {
        self.second_publishing.is_some()
    }

    /// Whether a publish could succeed now.
    pub(super) fn ready(&self) -> Result<(), QueueError> {
        let (session, _) = self.publishing_sessions()?;
        let last_timeout = *self.last_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_blocked() {
            return Err(blocked());
        }
        match last_timeout {
            Some(at) if at.elapsed() < UNREADY_AFTER_TIMEOUT => Err(not_confirmed()),
            _ => Ok(()),
        }
    }

    /// Stores a notification in the queue of what is put back, to be delivered no earlier than `due`.
    pub(super) async fn put_back(&self, notification: &Notification, due: Timestamp) -> Result<(), QueueError> {
        let body = to_body(notification)?;
        self.move_to(notification, BotQueue::Returned.for_body(&body), Some(due), body).await
    }

    async fn move_to(
        &self,
        notification: &Notification,
        queue: BotQueue,
        due: Option<Timestamp>,
        body: Bytes,
    ) -> Result<(), QueueError> {
        let (destination, due) = Self::route(notification, queue, due);
        let (publish_use, properties) =
            (PublishUse::Move(notification.bot.clone()), notification_properties(notification, due));
        self.publish(publish_use, destination, body, properties).await
    }

    /// A queue of the bot, or a delay level before that if it is not due; and until when it is not.
    pub(super) fn route(
        notification: &Notification,
        queue: BotQueue,
        due: Option<Timestamp>,
    ) -> (Destination, Option<Timestamp>) {
        let (now, bot) = (Timestamp::now(), notification.bot.clone());
        let due = due.filter(|due| *due > now);
        let destination = match due.and_then(|due| delay_levels::longest_within(due.since(now))) {
            Some(seconds) => Destination::Delayed { seconds, bot, queue },
            None => Destination::Bot(bot, queue),
        };
        (destination, due)
    }

    /// Publishes an ownership token.
    pub(super) async fn publish_token(&self, bot: &BotName, token: &OwnershipToken) -> Result<(), QueueError> {
        let body = serde_json::to_vec(token).map_err(|e| QueueError::Unavailable(e.to_string()))?;
        let queue = Destination::Queue(self.topology.owner_queue(bot));
        self.publish(PublishUse::Other, queue, body.into(), persistent_properties()).await
    }

    /// Publishes a message that shows the active consumer of the moves that it has the right to move.
    pub(super) async fn publish_move(&self) -> Result<(), QueueError> {
        let queue = Destination::Queue(self.topology.moves_queue());
        self.publish(PublishUse::Other, queue, self.worker.clone().into(), persistent_properties()).await
    }

    /// Publishes to an address of direct reply-to; not persistent: it ends with the connection of who listens there.
    pub(super) async fn publish_reply(&self, address: &str, body: Vec<u8>) -> Result<(), QueueError> {
        self.publish(PublishUse::Other, Destination::Queue(address.into()), body.into(), BasicProperties::default())
            .await
    }

    /// Stores an outcome for whoever can write it into the ledger.
    pub(super) async fn publish_journal_entry(&self, outcome: &JournalEntry) -> Result<(), QueueError> {
        let body = serde_json::to_vec(outcome)
            .map_err(|e| QueueError::Unavailable(format!("the outcome cannot be written: {e}")))?;
        let queue = Destination::Shared(self.topology.journal_queue());
        self.publish(PublishUse::Other, queue, body.into(), persistent_properties()).await
    }

    /// Sends a message that has come too early to a delay level again, to lead to the same queue; tries until that is
    /// done. What is due meanwhile goes straight there.
    pub(super) async fn delay_again(&self, message: &NotificationMessage, queue: BotQueue) {
        while self.move_to(&message.notification, queue, message.due, message.body.clone()).await.is_err() {
            sleep(MOVE_RETRY_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// Copies a message that cannot be read, as it came, into the queue of the unreadable; tries until that is done.
    pub(super) async fn copy_to_unreadable_queue(&self, delivery: &AmqpDelivery, reason: &str) {
        let body = Bytes::copy_from_slice(&delivery.data);
        loop {
            let mut headers = FieldTable::default();
            headers.insert("pixcourier-reason".into(), long_string(reason));
            headers.insert("pixcourier-key".into(), long_string(delivery.routing_key.as_str()));
            let properties = persistent_properties().with_headers(headers);
            let queue = Destination::Shared(self.topology.unreadable_queue());
            if self.publish(PublishUse::Other, queue, body.clone(), properties).await.is_ok() {
                return;
            }
            sleep(MOVE_RETRY_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// The session to publish on now, and the other if there is one: in turn, but one that does not answer only if the
    /// other does not either, and then the one that answered last.
    pub(super) fn publishing_sessions(&self) -> Result<(Arc<Session>, Option<Arc<Session>>), QueueError> {
        let second = self.second_publishing.as_ref().and_then(|connection| connection.session().ok());
        let (first, second) = match (self.publishing.session(), second) {
            (Ok(first), Some(second)) => (first, second),
            (Ok(only), None) | (Err(_), Some(only)) => return Ok((only, None)),
            (Err(error), None) => return Err(error),
        };
        let (turn, now) = (self.turn.fetch_add(1, Ordering::Relaxed), Instant::now());
        let second_first = match (first.confirms.is_doubtful(now), second.confirms.is_doubtful(now)) {
            (false, false) => turn % 2 == 1,
            (true, true) => second.confirms.last_answer() > first.confirms.last_answer(),
            (first_is_doubtful, _) => first_is_doubtful,
        };
        Ok(if second_first { (second, Some(first)) } else { (first, Some(second)) })
    }

    /// Publishes within [`REQUEST_TIMEOUT`].
    pub(super) async fn publish(
        &self,
        publish_use: PublishUse,
        destination: Destination,
        body: Bytes,
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let (session, _) = self.publishing_sessions()?;
        if session.is_blocked() {
            return Err(blocked());
        }
        let begun = Instant::now();
        let publish = session.publish(publish_use, destination, body, properties);
        let published = timeout(REQUEST_TIMEOUT, publish).await;
        self.note_timeout(published.is_err());
        match published {
            Ok(published) => result_of(published),
            Err(_) if session.is_blocked() => Err(QueueError::Unconfirmed(BLOCKED.to_owned())),
            Err(_) => {
                session.confirms.timed_out(begun, Instant::now());
                Err(not_confirmed())
            }
        }
    }

    /// Notes whether the last publish timed out.
    pub(super) fn note_timeout(&self, has_timed_out: bool) {
        *self.last_timeout.lock().unwrap_or_else(PoisonError::into_inner) = has_timed_out.then(Instant::now);
    }
}

/// What came of a publish, for its caller.
pub(super) fn result_of(published: lapin::Result<PublishOutcome>) -> Result<(), QueueError> {
    match published {
        Ok(PublishOutcome::Stored) => Ok(()),
        Ok(PublishOutcome::Unroutable) => Err(QueueError::Unavailable("no queue takes the message".to_owned())),
        Ok(PublishOutcome::Refused) => Err(QueueError::Full("RabbitMQ refuses the message".to_owned())),
        Ok(PublishOutcome::Unconfirmed(reason)) => Err(QueueError::Unconfirmed(format!("RabbitMQ: {reason}"))),
        Err(error) => Err(QueueError::Unavailable(format!("RabbitMQ: {}", error_text(&error)))),
    }
}

pub(super) fn to_body(notification: &Notification) -> Result<Bytes, QueueError> {
    serde_json::to_vec(notification)
        .map(Bytes::from)
        .map_err(|e| QueueError::Unavailable(format!("the notification cannot be written: {e}")))
}

pub(super) fn blocked() -> QueueError {
    QueueError::Unavailable(BLOCKED.to_owned())
}

pub(super) fn not_confirmed() -> QueueError {
    QueueError::Unconfirmed("RabbitMQ did not confirm in time".to_owned())
}
