//! Orphans: notifications that were due and could be brought nowhere, because their bot had no queues any more. They are
//! kept until somebody puts them back.

use super::address::BrokerAddress;
use super::amqp::error_text;
use super::in_flight::PublishUse;
use super::message::{NotificationMessage, notification_properties};
use super::publish_outcome::PublishOutcome;
use super::publishing::Destination;
use super::session::Session;
use super::topology::{BotQueue, Topology};
use crate::domain::Notification;
use crate::ports::QueueError;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Limit for each step: to connect, and to look at or move one orphan.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// What was found, and what became of it.
#[derive(Debug)]
pub struct Orphan {
    /// The notification; `None` if it cannot be read.
    pub notification: Option<Notification>,
    /// Whether it is in a queue of its bot again, and so no orphan any more.
    pub replayed: bool,
}

/// Looks at every orphan, on a connection of its own to the first broker that answers. With `replay`, those whose bot has
/// queues again are put back into them; the rest stays where it is.
///
/// # Errors
/// If no broker answers, or one stops answering. What was put back until then stays there.
pub async fn inspect_orphans(
    urls: &[SecretString],
    ca: Option<&Arc<str>>,
    namespace: &str,
    replay: bool,
    mut found: impl FnMut(Orphan),
) -> Result<(), QueueError> {
    let session = connect(urls, ca, namespace).await?;
    let inspected = inspect_on(&session, replay, &mut found).await;
    session.close().await;
    inspected
}

async fn connect(urls: &[SecretString], ca: Option<&Arc<str>>, namespace: &str) -> Result<Session, QueueError> {
    let mut reason = "no usable broker address is configured".to_owned();
    for address in urls.iter().filter_map(|url| BrokerAddress::parse(url, ca)) {
        let topology = Arc::new(Topology::new(namespace.to_owned()));
        match timeout(STEP_TIMEOUT, Session::connect("orphans", &address, topology, &mut "")).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error)) => reason = error_text(&error),
            Err(_) => reason = "the broker does not answer".to_owned(),
        }
    }
    Err(QueueError::Unavailable(reason))
}

async fn inspect_on(session: &Session, replay: bool, found: &mut impl FnMut(Orphan)) -> Result<(), QueueError> {
    // What is not acked goes back to its place when the channel closes.
    let channel = step(session.channels.open()).await?;
    while let Some(message) = step(channel.basic_get(session.topology.orphans(), BasicGetOptions::default())).await? {
        let mut delivery = message.delivery;
        let returned = delivery.routing_key.as_str().ends_with(".returned");
        let Ok(message) = NotificationMessage::read(&mut delivery) else {
            found(Orphan { notification: None, replayed: false });
            continue;
        };
        let replayed = replay && step(put_back(session, &message, returned)).await?;
        if replayed {
            step(delivery.acker.ack(BasicAckOptions::default())).await?;
        }
        found(Orphan { notification: Some(message.notification), replayed });
    }
    Ok(())
}

/// Whether a queue of its bot has taken it.
async fn put_back(session: &Session, message: &NotificationMessage, returned: bool) -> lapin::Result<bool> {
    let notification = &message.notification;
    let queue = if returned { BotQueue::Returned } else { BotQueue::Lane(notification.lane) };
    let queue = queue.for_body(&message.body);
    let destination = Destination::Queue(session.topology.bot_queue(&notification.bot, queue));
    let properties = notification_properties(notification, message.due);
    let outcome = session.publish(PublishUse::Other, destination, message.body.clone(), properties).await?;
    Ok(outcome == PublishOutcome::Stored)
}

async fn step<T>(request: impl Future<Output = lapin::Result<T>>) -> Result<T, QueueError> {
    match timeout(STEP_TIMEOUT, request).await {
        Ok(result) => result.map_err(|error| QueueError::Unavailable(format!("RabbitMQ: {error}"))),
        Err(_) => Err(QueueError::Unavailable("RabbitMQ does not answer".to_owned())),
    }
}
