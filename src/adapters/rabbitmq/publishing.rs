//! Publishing on a session, with publisher confirms: mandatory, so that a message which no queue takes is known; then what
//! is missing is declared, and it is published once more.

use super::channel_pool::ChannelUse;
use super::declarations::is_not_found;
use super::declared_once::Declarable;
use super::session::Session;
use super::topology::{BotQueue, Topology};
use crate::domain::BotName;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};

/// Where a message goes.
pub(super) enum Destination {
    /// A queue that somebody else declares.
    Queue(ShortString),
    /// A queue that all bots share.
    Shared(ShortString),
    /// A queue of a bot.
    Bot(BotName, BotQueue),
    /// A delay queue, and from there a queue of a bot.
    Delayed { seconds: u64, bot: BotName, queue: BotQueue },
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
}

impl Session {
    /// Publishes and waits for the publisher confirm. May wait for ever: the caller must set a timeout.
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
        let channel = self.channels.acquire(channel_use).await?;
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = channel.basic_publish(exchange, key, options, body, properties).await?;
        let outcome = match confirm.await {
            Ok(Confirmation::Ack(None)) => PublishOutcome::Stored,
            Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested) => PublishOutcome::Unroutable,
            Ok(Confirmation::Nack(_)) => PublishOutcome::Refused,
            // The exchange is missing. The broker has closed the channel.
            Err(error) if is_not_found(&error) => return Ok(PublishOutcome::Unroutable),
            Err(error) => return Err(error),
        };
        channel.give_back();
        Ok(outcome)
    }
}
