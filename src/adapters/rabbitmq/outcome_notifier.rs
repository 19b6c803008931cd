//! Outcomes between processes: RabbitMQ's direct reply-to, which needs no queue of ours and dies with the connection.

use super::link::Backoff;
use super::office::Office;
use super::session::Session;
use super::stand::{ended_by, step};
use crate::adapters::outcome_waiters::OutcomeWaiters;
use crate::domain::NotificationId;
use crate::ports::{Outcome, OutcomeNotifier, OutcomeWaiter};
use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tracing::debug;

/// The pseudo-queue; messages that name it as `reply-to` get the address of the channel that publishes them (RabbitMQ).
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// [`OutcomeNotifier`] over RabbitMQ.
pub(super) struct RabbitSwitchboard {
    office: Arc<Office>,
    local: OutcomeWaiters,
    /// Where this process is told; empty while the broker is away.
    address: watch::Sender<String>,
}

/// What travels.
#[derive(Serialize, Deserialize)]
struct Letter {
    id: NotificationId,
    outcome: Outcome,
}

impl RabbitSwitchboard {
    pub(super) fn new(office: Arc<Office>) -> Self {
        Self { office, local: OutcomeWaiters::default(), address: watch::Sender::new(String::new()) }
    }

    /// Takes what comes until the queue is shut down.
    pub(super) async fn run(self: Arc<Self>) {
        let stop = self.office.stop.clone();
        let take = async {
            let mut backoff = Backoff::default();
            while let Some(session) = self.office.consuming.up().await {
                let Err(reason) = self.take(&session).await;
                debug!(reason, "listening for outcomes again");
                // Nobody can reach the old address any more; the ledger knows what is missed.
                self.address.send_replace(String::new());
                self.local.close_all();
                drop(session);
                backoff.pause().await;
            }
        };
        stop.run_until_cancelled(take).await;
        self.local.close_all();
    }

    async fn take(&self, session: &Session) -> Result<Infallible, String> {
        let channel = step(session.channel()).await?;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consume = channel.basic_consume(REPLY_TO.into(), ShortString::default(), options, FieldTable::default());
        let mut replies: Consumer = step(consume).await?;
        self.address.send_replace(address(&channel).await?);
        loop {
            let delivery = match replies.next().await {
                Some(Ok(delivery)) => delivery,
                ended => return Err(ended_by(ended)),
            };
            match serde_json::from_slice::<Letter>(&delivery.data) {
                Ok(Letter { id, outcome }) => self.local.notify(id, outcome),
                Err(error) => debug!(%error, "an outcome that cannot be read"),
            }
        }
    }
}

/// The address of a channel. The broker writes it into messages that the channel publishes, so one is sent round.
async fn address(channel: &Channel) -> Result<String, String> {
    let exclusive = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let mirror = step(channel.queue_declare(ShortString::default(), exclusive, FieldTable::default())).await?;
    let properties = BasicProperties::default().with_reply_to(REPLY_TO.into());
    let publish = BasicPublishOptions::default();
    let publish = channel.basic_publish(ShortString::default(), mirror.name().clone(), publish, b"", properties);
    step(step(publish).await?).await?;
    // A channel's own publishes and gets are carried out in order.
    let get = channel.basic_get(mirror.name().clone(), BasicGetOptions { no_ack: true });
    let message = step(get).await?.ok_or("the broker keeps its messages to itself")?;
    step(channel.queue_delete(mirror.name().clone(), QueueDeleteOptions::default())).await?;
    let address = message.properties.reply_to().as_ref().map(ToString::to_string);
    address.ok_or_else(|| "the broker gives no address".to_owned())
}

#[async_trait]
impl OutcomeNotifier for RabbitSwitchboard {
    fn listen(&self, id: NotificationId) -> OutcomeWaiter {
        self.local.register(id, self.address.borrow().clone())
    }

    async fn notify(&self, address: &str, id: NotificationId, outcome: &Outcome) {
        if address == *self.address.borrow() {
            return self.local.notify(id, outcome.clone());
        }
        let Ok(body) = serde_json::to_vec(&Letter { id, outcome: outcome.clone() }) else { return };
        if let Err(error) = self.office.reply(address, &body).await {
            debug!(%error, "the caller could not be told; the ledger knows");
        }
    }
}
