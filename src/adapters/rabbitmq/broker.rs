//! What subscriptions and the queue share: the two connections, every kind of publish, and what is out unacked.

use super::amqp::{REQUEST_TIMEOUT, error_text};
use super::connection::BrokerConnection;
use super::message::{NotificationMessage, notification_properties, persistent_properties};
use super::ownership_token::OwnershipToken;
use super::presence::Presence;
use super::release::Releases;
use super::session::{PublishOutcome, Session};
use super::stakes::Stakes;
use super::topology::{Topology, long_string};
use super::unacked::UnackedByEpoch;
use crate::domain::{BotName, Notification, Timestamp};
use crate::ports::{JournalEntry, QueueError};
use lapin::BasicProperties;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::{FieldTable, ShortString};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// For so long after a publish whose confirm timed out, [`Broker::ready`] says no.
const UNREADY_AFTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Before a message that could not be moved to another queue is moved again; varied at random by a half.
const MOVE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Broker {
    pub(super) topology: Arc<Topology>,
    /// Publishing has a connection of its own: one that an alarm blocks takes no acks either.
    pub(super) publishing: BrokerConnection,
    pub(super) consuming: BrokerConnection,
    pub(super) unacked: UnackedByEpoch,
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
        consuming: BrokerConnection,
        stop: CancellationToken,
    ) -> Self {
        let worker = format!("{:016x}", fastrand::u64(..));
        Self {
            topology,
            publishing,
            consuming,
            unacked: UnackedByEpoch::default(),
            releases: Releases::default(),
            stakes: Stakes::default(),
            presence: Presence::new(),
            worker,
            stop,
            last_timeout: Mutex::default(),
        }
    }

    /// Whether a publish could succeed now.
    pub(super) fn ready(&self) -> Result<(), QueueError> {
        let session = self.publishing.session()?;
        let last_timeout = *self.last_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_blocked() {
            return Err(blocked());
        }
        match last_timeout {
            Some(at) if at.elapsed() < UNREADY_AFTER_TIMEOUT => Err(not_confirmed()),
            _ => Ok(()),
        }
    }

    /// Stores a notification, to be delivered no earlier than `due`.
    pub(super) async fn publish_notification(
        &self,
        notification: &Notification,
        due: Option<Timestamp>,
    ) -> Result<(), QueueError> {
        let body = serde_json::to_vec(notification)
            .map_err(|e| QueueError::Unavailable(format!("the notification cannot be written: {e}")))?;
        self.route(notification, due, &body).await
    }

    /// Publishes to the lane, or to a delay level if it is not due.
    async fn route(&self, notification: &Notification, due: Option<Timestamp>, body: &[u8]) -> Result<(), QueueError> {
        let now = Timestamp::now();
        let due = due.filter(|due| *due > now);
        let delay = due.and_then(|due| self.topology.delay_exchange_within(due.since(now)));
        let exchange = delay.unwrap_or_else(|| self.topology.work_exchange());
        let key = Topology::lane_routing_key(&notification.bot, notification.lane);
        self.publish(Some(&notification.bot), exchange, key, body, notification_properties(notification, due)).await
    }

    /// Publishes an ownership token.
    pub(super) async fn publish_token(&self, bot: &BotName, token: &OwnershipToken) -> Result<(), QueueError> {
        let body = serde_json::to_vec(token).map_err(|e| QueueError::Unavailable(e.to_string()))?;
        let queue = self.topology.owner_queue(bot);
        self.publish(None, ShortString::default(), queue, &body, persistent_properties()).await
    }

    /// Publishes a message that shows the active consumer of the moves that it has the right to move.
    pub(super) async fn publish_move(&self) -> Result<(), QueueError> {
        let queue = self.topology.moves_queue();
        self.publish(None, ShortString::default(), queue, self.worker.as_bytes(), persistent_properties()).await
    }

    /// Publishes to an address of direct reply-to; not persistent: it ends with the connection of who listens there.
    pub(super) async fn publish_reply(&self, address: &str, body: &[u8]) -> Result<(), QueueError> {
        self.publish(None, ShortString::default(), address.into(), body, BasicProperties::default()).await
    }

    /// Stores an outcome for whoever can write it into the ledger.
    pub(super) async fn publish_journal_entry(&self, outcome: &JournalEntry) -> Result<(), QueueError> {
        let body = serde_json::to_vec(outcome)
            .map_err(|e| QueueError::Unavailable(format!("the outcome cannot be written: {e}")))?;
        let (bot, queue) = (&outcome.notification.bot, self.topology.journal_queue());
        self.publish(Some(bot), ShortString::default(), queue, &body, persistent_properties()).await
    }

    /// Waits until a message is due, in memory if that is soon. `false` if it went to a delay level instead: then it
    /// must be acked.
    pub(super) async fn wait_until_due(&self, message: &NotificationMessage) -> bool {
        loop {
            let now = Timestamp::now();
            let Some(due) = message.due.filter(|due| *due > now) else { return true };
            if self.topology.delay_exchange_within(due.since(now)).is_none() {
                sleep(due.since(now)).await;
            } else if self.route(&message.notification, message.due, &message.body).await.is_ok() {
                return false;
            } else {
                sleep(MOVE_RETRY_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
            }
        }
    }

    /// Copies a message that cannot be read, as it came, into the queue of the unreadable; tries until that is done.
    pub(super) async fn copy_to_unreadable_queue(&self, delivery: &AmqpDelivery, reason: &str) {
        loop {
            let mut headers = FieldTable::default();
            headers.insert("pixcourier-reason".into(), long_string(reason));
            headers.insert("pixcourier-key".into(), long_string(delivery.routing_key.as_str()));
            let properties = persistent_properties().with_headers(headers);
            let queue = self.topology.unreadable_queue();
            if self.publish(None, ShortString::default(), queue, &delivery.data, properties).await.is_ok() {
                return;
            }
            sleep(MOVE_RETRY_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// Publishes within [`REQUEST_TIMEOUT`]. With a bot, the message is for queues that may have to be declared first.
    async fn publish(
        &self,
        bot: Option<&BotName>,
        exchange: ShortString,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let session = self.publishing.session()?;
        if session.is_blocked() {
            return Err(blocked());
        }
        let publish = publish_or_redeclare(&session, bot, exchange, key, body, properties);
        let published = timeout(REQUEST_TIMEOUT, publish).await;
        *self.last_timeout.lock().unwrap_or_else(PoisonError::into_inner) = published.is_err().then(Instant::now);
        match published {
            Ok(Ok(PublishOutcome::Stored)) => Ok(()),
            Ok(Ok(PublishOutcome::Unroutable)) => Err(QueueError::Unavailable("no queue takes the message".to_owned())),
            Ok(Ok(PublishOutcome::Refused)) => Err(QueueError::Full("RabbitMQ refuses the message".to_owned())),
            Ok(Err(error)) => Err(QueueError::Unavailable(format!("RabbitMQ: {}", error_text(&error)))),
            Err(_) if session.is_blocked() => Err(blocked()),
            Err(_) => Err(not_confirmed()),
        }
    }
}

/// Publishes; where no queue takes it, declares everything anew and tries once more.
async fn publish_or_redeclare(
    session: &Session,
    bot: Option<&BotName>,
    exchange: ShortString,
    key: ShortString,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<PublishOutcome> {
    let Some(bot) = bot else { return session.publish(exchange, key, body, properties).await };
    session.ensure_lanes(bot).await?;
    match session.publish(exchange.clone(), key.clone(), body, properties.clone()).await? {
        PublishOutcome::Unroutable => {
            session.redeclare(bot).await?;
            session.publish(exchange, key, body, properties).await
        }
        outcome => Ok(outcome),
    }
}

fn blocked() -> QueueError {
    QueueError::Unavailable("RabbitMQ takes no messages (memory or disk alarm)".to_owned())
}

fn not_confirmed() -> QueueError {
    QueueError::Unavailable("RabbitMQ did not confirm in time".to_owned())
}
