//! What all subscriptions and the port share: the two links, how a message is stored, what is out unacked.

use super::holding::Holdings;
use super::link::Link;
use super::parcel::{Parcel, persistent, properties};
use super::session::{Sent, Session, explain};
use super::token::Token;
use super::topology::{Topology, text};
use crate::domain::{BotName, Notification, Timestamp};
use crate::ports::{JournalEntry, QueueError};
use lapin::BasicProperties;
use lapin::message::Delivery as AmqpDelivery;
use lapin::types::{FieldTable, ShortString};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long one request to the broker may take, the wait for a channel included. A confirm that never comes is a
/// normal event: the outcome is unknown then, and the caller tries again under the same id.
pub(super) const PATIENCE: Duration = Duration::from_millis(2_500);

/// How long a publish that got no answer makes [`Office::ready`] say no.
const STALLED: Duration = Duration::from_secs(5);

/// How long to wait before a move that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Office {
    pub(super) topology: Arc<Topology>,
    /// Publishing has a connection of its own: one that an alarm blocks takes no acks either.
    pub(super) publishing: Link,
    pub(super) consuming: Link,
    pub(super) holdings: Holdings,
    /// The name of this process in tokens.
    pub(super) worker: String,
    pub(super) stop: CancellationToken,
    pub(super) stalled: Mutex<Option<Instant>>,
}

impl Office {
    /// Whether a publish could succeed now.
    pub(super) fn ready(&self) -> Result<(), QueueError> {
        let session = self.publishing.session()?;
        let stalled = *self.stalled.lock().unwrap_or_else(PoisonError::into_inner);
        if session.blocked() {
            return Err(blocked());
        }
        match stalled {
            Some(at) if at.elapsed() < STALLED => Err(no_answer()),
            _ => Ok(()),
        }
    }

    /// Stores a notification, to be delivered no earlier than `due`.
    pub(super) async fn store(&self, notification: &Notification, due: Option<Timestamp>) -> Result<(), QueueError> {
        let body = serde_json::to_vec(notification)
            .map_err(|e| QueueError::Unavailable(format!("the notification cannot be written: {e}")))?;
        self.route(notification, due, &body).await
    }

    async fn route(&self, notification: &Notification, due: Option<Timestamp>, body: &[u8]) -> Result<(), QueueError> {
        let now = Timestamp::now();
        let due = due.filter(|due| *due > now);
        let rung = due.and_then(|due| self.topology.rung_within(due.since(now)));
        let exchange = rung.unwrap_or_else(|| self.topology.work());
        let key = Topology::key(&notification.bot, notification.lane);
        self.send(Some(&notification.bot), exchange, key, body, properties(notification, due)).await
    }

    /// Issues an ownership token.
    pub(super) async fn issue(&self, bot: &BotName, token: &Token) -> Result<(), QueueError> {
        let body = serde_json::to_vec(token).map_err(|e| QueueError::Unavailable(e.to_string()))?;
        self.send(None, ShortString::default(), self.topology.owner(bot), &body, persistent()).await
    }

    /// Answers at an address of direct reply-to; nothing of it outlives the connection of who listens there.
    pub(super) async fn reply(&self, address: &str, body: &[u8]) -> Result<(), QueueError> {
        self.send(None, ShortString::default(), address.into(), body, BasicProperties::default()).await
    }

    /// Stores an outcome for whoever can write it into the ledger.
    pub(super) async fn append(&self, outcome: &JournalEntry) -> Result<(), QueueError> {
        let body = serde_json::to_vec(outcome)
            .map_err(|e| QueueError::Unavailable(format!("the outcome cannot be written: {e}")))?;
        let (bot, queue) = (&outcome.notification.bot, self.topology.outcomes());
        self.send(Some(bot), ShortString::default(), queue, &body, persistent()).await
    }

    /// Waits until a parcel is due, in memory if that is soon. `false` if it was sent on to a rung instead: then it
    /// must be acked.
    pub(super) async fn await_due(&self, parcel: &Parcel) -> bool {
        loop {
            let now = Timestamp::now();
            let Some(due) = parcel.due.filter(|due| *due > now) else { return true };
            if self.topology.rung_within(due.since(now)).is_none() {
                sleep(due.since(now)).await;
            } else if self.route(&parcel.notification, parcel.due, &parcel.body).await.is_ok() {
                return false;
            } else {
                sleep(AGAIN.mul_f64(0.5 + fastrand::f64())).await;
            }
        }
    }

    /// Puts aside a message that cannot be read, as it came; ends when that is done.
    pub(super) async fn put_aside(&self, delivery: &AmqpDelivery, reason: &str) {
        loop {
            let mut headers = FieldTable::default();
            headers.insert("pixcourier-reason".into(), text(reason));
            headers.insert("pixcourier-key".into(), text(delivery.routing_key.as_str()));
            let properties = persistent().with_headers(headers);
            let aside = self.topology.unreadable();
            if self.send(None, ShortString::default(), aside, &delivery.data, properties).await.is_ok() {
                return;
            }
            sleep(AGAIN.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    async fn send(
        &self,
        bot: Option<&BotName>,
        exchange: ShortString,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), QueueError> {
        let session = self.publishing.session()?;
        if session.blocked() {
            return Err(blocked());
        }
        let sent = timeout(PATIENCE, publish(&session, bot, exchange, key, body, properties)).await;
        *self.stalled.lock().unwrap_or_else(PoisonError::into_inner) = sent.is_err().then(Instant::now);
        match sent {
            Ok(Ok(Sent::Stored)) => Ok(()),
            Ok(Ok(Sent::Unroutable)) => Err(QueueError::Unavailable("no queue takes the message".to_owned())),
            Ok(Ok(Sent::Refused)) => Err(QueueError::Full("RabbitMQ refuses the message".to_owned())),
            Ok(Err(error)) => Err(QueueError::Unavailable(format!("RabbitMQ: {}", explain(&error)))),
            Err(_) if session.blocked() => Err(blocked()),
            Err(_) => Err(no_answer()),
        }
    }
}

/// Publishes; where no queue takes it, declares everything anew and tries once more.
async fn publish(
    session: &Session,
    bot: Option<&BotName>,
    exchange: ShortString,
    key: ShortString,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<Sent> {
    if let Some(bot) = bot {
        session.prepare(bot).await?;
    }
    let sent = session.publish(exchange.clone(), key.clone(), body, properties.clone()).await?;
    match (sent, bot) {
        (Sent::Unroutable, Some(bot)) => {
            session.repair(bot).await?;
            session.publish(exchange, key, body, properties).await
        }
        (sent, _) => Ok(sent),
    }
}

fn blocked() -> QueueError {
    QueueError::Unavailable("RabbitMQ takes no messages (memory or disk alarm)".to_owned())
}

fn no_answer() -> QueueError {
    QueueError::Unavailable("RabbitMQ did not confirm in time".to_owned())
}
