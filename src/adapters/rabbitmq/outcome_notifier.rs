//! Outcomes between processes: RabbitMQ's direct reply-to, which needs no queue and ends with the connection.

use super::amqp::{RECONNECT_BACKOFF, consumer_end_reason, setup_step};
use super::broker::Broker;
use super::session::Session;
use crate::adapters::outcome_waiters::OutcomeWaiters;
use crate::domain::NotificationId;
use crate::ports::{Outcome, OutcomeNotifier, OutcomeWaiter};
use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Consumer};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tracing::debug;

/// The pseudo-queue; messages that name it as `reply-to` get the address of the channel that publishes them (RabbitMQ).
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// A queue that nobody has.
const NOWHERE: &str = "pixcourier nowhere";

/// [`OutcomeNotifier`] over RabbitMQ. It listens on the publishing connection: to learn its address it must publish, and in
/// an alarm that would block the acks of the consuming one.
pub(super) struct RabbitOutcomeNotifier {
    broker: Arc<Broker>,
    local: OutcomeWaiters,
    /// The reply-to address of this process; empty while the broker is away.
    address: watch::Sender<String>,
}

/// The body of a reply.
#[derive(Serialize, Deserialize)]
struct ReplyMessage {
    id: NotificationId,
    outcome: Outcome,
}

impl RabbitOutcomeNotifier {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, local: OutcomeWaiters::default(), address: watch::Sender::new(String::new()) }
    }

    /// Receives replies until the queue is shut down.
    pub(super) async fn run(self: Arc<Self>) {
        let stop = self.broker.stop.clone();
        let receive = async {
            let mut backoff = RECONNECT_BACKOFF.start();
            while let Some(session) = self.broker.publishing.wait_for_session().await {
                let Err(reason) = self.receive_replies(&session).await;
                debug!(reason, "listening for outcomes again");
                // Nobody can reach the old address any more; the ledger knows what is missed.
                self.address.send_replace(String::new());
                self.local.close_all();
                drop(session);
                backoff.wait().await;
            }
        };
        stop.run_until_cancelled(receive).await;
        self.local.close_all();
    }

    async fn receive_replies(&self, session: &Session) -> Result<Infallible, String> {
        let channel = setup_step(session.channels.open()).await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consume = channel.basic_consume(REPLY_TO.into(), ShortString::default(), options, FieldTable::default());
        let mut replies: Consumer = setup_step(consume).await?;
        self.address.send_replace(reply_address(&channel).await?);
        loop {
            let delivery = match replies.next().await {
                Some(Ok(delivery)) => delivery,
                ended => return Err(consumer_end_reason(ended)),
            };
            match serde_json::from_slice::<ReplyMessage>(&delivery.data) {
                Ok(ReplyMessage { id, outcome }) => self.local.notify(id, outcome),
                Err(error) => debug!(%error, "an outcome that cannot be read"),
            }
        }
    }
}

/// The reply-to address of a channel. The broker writes it into messages that the channel publishes, so one is published
/// that goes nowhere, and comes back as unroutable.
async fn reply_address(channel: &Channel) -> Result<String, String> {
    setup_step(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let properties = BasicProperties::default().with_reply_to(REPLY_TO.into());
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let publish = channel.basic_publish(ShortString::default(), NOWHERE.into(), options, b"", properties);
    match setup_step(setup_step(publish).await?).await? {
        Confirmation::Ack(Some(returned)) => returned.delivery.properties.reply_to().as_ref().map(ToString::to_string),
        _ => None,
    }
    .ok_or_else(|| "the broker gives no address".to_owned())
}

#[async_trait]
impl OutcomeNotifier for RabbitOutcomeNotifier {
    fn listen(&self, id: NotificationId) -> OutcomeWaiter {
        self.local.register(id, self.address.borrow().clone())
    }

    async fn notify(&self, address: &str, id: NotificationId, outcome: &Outcome) {
        if address == *self.address.borrow() {
            return self.local.notify(id, outcome.clone());
        }
        let Ok(body) = serde_json::to_vec(&ReplyMessage { id, outcome: outcome.clone() }) else { return };
        if let Err(error) = self.broker.publish_reply(address, body).await {
            debug!(%error, "the caller could not be told; the ledger knows");
        }
    }
}
