//! Publishing on a session, with publisher confirms: mandatory, so that a message which no queue takes is known; then what
//! is missing is declared, and it is published once more.

use super::amqp::error_text;
use super::channel_pool::ChannelUse;
use super::declarations::is_not_found;
use super::declared_once::Declarable;
use super::session::Session;
use super::topology::{BotQueue, Topology};
use crate::domain::BotName;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// How long to wait for a publisher confirm, whoever waits: longer than it takes to replace the leader of a queue whose node
/// is frozen (ten seconds, measured with RabbitMQ 3.10 and 4.0).
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a message goes.
#[derive(Clone)]
pub(super) enum Destination {
    /// A queue that somebody else declares.
    Queue(ShortString),
    /// A queue that all bots share.
    Shared(ShortString),
    /// A queue of a bot.
    Bot(BotName, BotQueue),
    /// A delay queue, and from there a queue of a bot.
    Delayed { seconds: u64, bot: BotName, queue: BotQueue },
    /// The detour of the node, and from there a queue of a bot.
    Detour(BotName, BotQueue),
}

impl Destination {
    /// The queue that a message is for, or the delay queue before it.
    pub(super) fn queue(&self, topology: &Topology) -> ShortString {
        match self {
            Self::Queue(queue) | Self::Shared(queue) => queue.clone(),
            Self::Bot(bot, queue) | Self::Detour(bot, queue) => topology.bot_queue(bot, *queue),
            Self::Delayed { seconds, .. } => topology.delay_queue(*seconds).name,
        }
    }
}

/// What the broker did with a message.
#[derive(PartialEq, Eq)]
pub(super) enum PublishOutcome {
    /// On stable storage.
    Stored,
    /// Nowhere: no queue takes it.
    Unroutable,
    /// Nowhere: the queue is full.
    Refused,
    /// Not known: no confirm has come, for this reason.
    Unconfirmed(String),
}

impl Session {
    /// Publishes and waits for the publisher confirm. May wait for ever: the caller must set a timeout. An error means that
    /// nothing was published.
    pub(super) async fn publish(
        &self,
        channel_use: ChannelUse,
        destination: Destination,
        body: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<PublishOutcome> {
        let default_exchange = ShortString::default();
        let (exchange, key, declarable, state) = match destination {
            Destination::Queue(queue) => {
                return self.publish_once(channel_use, default_exchange, queue, body, properties).await;
            }
            Destination::Shared(queue) => {
                (default_exchange, queue, Declarable::Shared, self.declared.state(&Declarable::Shared))
            }
            Destination::Bot(bot, queue) => {
                let state = self.ensure_bot(&bot).await?;
                (default_exchange, self.topology.bot_queue(&bot, queue), Declarable::Bot(bot), state)
            }
            Destination::Delayed { seconds, bot, queue } => {
                // Without them the message would be an orphan when it is due.
                self.ensure_bot(&bot).await?;
                let (key, level) = (Topology::delay_routing_key(seconds, &bot, queue), Declarable::DelayQueue(seconds));
                let state = self.declared.state(&level);
                (self.topology.delays_exchange(), key, level, state)
            }
            Destination::Detour(bot, queue) => {
                let Some(node) = self.detour.get() else { return Ok(PublishOutcome::Unroutable) };
                self.ensure_bot(&bot).await?;
                let key = Topology::detour_routing_key(node, &bot, queue);
                let state = self.declared.state(&Declarable::Detour);
                (self.topology.delays_exchange(), key, Declarable::Detour, state)
            }
        };
        let again = (channel_use.clone(), exchange.clone(), key.clone(), properties.clone());
        match self.publish_once(channel_use, exchange, key, body, properties).await? {
            PublishOutcome::Unroutable => {
                self.repair(&declarable, state).await?;
                let (channel_use, exchange, key, properties) = again;
                self.publish_once(channel_use, exchange, key, body, properties).await
            }
            outcome => Ok(outcome),
        }
    }

    async fn publish_once(
        &self,
        channel_use: ChannelUse,
        exchange: ShortString,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<PublishOutcome> {
        // Its channel is not kept: where a queue gets another leader, a channel is wanted that has published to it before.
        let is_detour = matches!(channel_use, ChannelUse::Detour(_));
        let channel = self.channels.acquire(channel_use).await?;
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = channel.basic_publish(exchange, key, options, body, properties).await?;
        let (answer, answered) = oneshot::channel();
        let confirms = self.confirms.clone();
        // Goes on when the caller has given up: where a queue gets another leader, a channel that has published to it before
        // is told so and gets its confirm, while a new one asks the former leader first, on a node that may be frozen.
        tokio::spawn(async move {
            let Ok(confirm) = timeout(CONFIRM_TIMEOUT, confirm).await else { return };
            let outcome = outcome_of(confirm);
            if let Ok((_, is_open)) = outcome {
                confirms.answered(Instant::now());
                if is_open && !is_detour {
                    channel.give_back();
                }
            }
            let _ = answer.send(outcome.map(|(outcome, _)| outcome));
        });
        // Nobody answers: who waits here has a timeout that is shorter.
        match answered.await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => Ok(PublishOutcome::Unconfirmed(error_text(&error))),
            Err(_) => Ok(PublishOutcome::Unconfirmed("no confirm in time".to_owned())),
        }
    }
}

/// What a confirm says, and whether the channel is of further use.
fn outcome_of(confirm: lapin::Result<Confirmation>) -> lapin::Result<(PublishOutcome, bool)> {
    match confirm {
        Ok(Confirmation::Ack(None)) => Ok((PublishOutcome::Stored, true)),
        Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested) => Ok((PublishOutcome::Unroutable, true)),
        Ok(Confirmation::Nack(_)) => Ok((PublishOutcome::Refused, true)),
        // The exchange is missing. The broker has closed the channel.
        Err(error) if is_not_found(&error) => Ok((PublishOutcome::Unroutable, false)),
        Err(error) => Err(error),
    }
}
