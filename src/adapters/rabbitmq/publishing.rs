//! Publishing on a session, with publisher confirms: mandatory, so that a message which no queue takes is known; then what
//! is missing is declared, and it is published once more.

use super::amqp::error_text;
use super::declarations::is_not_found;
use super::declared_once::Declarable;
use super::in_flight::{ChannelGroup, PublishUse};
use super::publish_channel::{Message, PublishFailed};
use super::publish_outcome::PublishOutcome;
use super::session::Session;
use super::topology::{BotQueue, Topology};
use crate::domain::BotName;
use bytes::Bytes;
use lapin::protocol::AMQPErrorKind;
use lapin::types::ShortString;
use lapin::{BasicProperties, ErrorKind};

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
            Self::Delayed { seconds, .. } => topology.delay_queue_name(*seconds),
        }
    }
}

impl Session {
    /// Publishes and waits for the publisher confirm. May wait for ever: the caller must set a timeout. An error means that
    /// nothing was published.
    pub(super) async fn publish(
        &self,
        publish_use: PublishUse,
        destination: Destination,
        body: Bytes,
        properties: BasicProperties,
    ) -> lapin::Result<PublishOutcome> {
        let mut is_in_doubt = false;
        match self.publish_and_repair(publish_use, destination, body, properties, &mut is_in_doubt).await {
            Ok(PublishOutcome::Stored) => Ok(PublishOutcome::Stored),
            Ok(outcome @ PublishOutcome::Unconfirmed(_)) => Ok(outcome),
            Ok(_) if is_in_doubt => Ok(PublishOutcome::Unconfirmed("its channel was closed".to_owned())),
            Err(error) if is_in_doubt => Ok(PublishOutcome::Unconfirmed(error_text(&error))),
            known => known,
        }
    }

    /// Sets `is_in_doubt` if the message may have been stored, whatever this returns.
    async fn publish_and_repair(
        &self,
        publish_use: PublishUse,
        destination: Destination,
        body: Bytes,
        properties: BasicProperties,
        is_in_doubt: &mut bool,
    ) -> lapin::Result<PublishOutcome> {
        let default_exchange = ShortString::default();
        let (exchange, key, queue, declarable, state) = match destination {
            Destination::Queue(queue) => {
                let message = Message { exchange: default_exchange, key: queue, body, properties };
                return Box::pin(self.publish_once(publish_use, ChannelGroup::Single, message, is_in_doubt)).await;
            }
            Destination::Shared(queue) => {
                let state = self.declared.state(&Declarable::Shared);
                (default_exchange, queue.clone(), queue, Declarable::Shared, state)
            }
            Destination::Bot(bot, queue) => {
                let (state, queue) = (self.ensure_bot(&bot).await?, self.topology.bot_queue(&bot, queue));
                (default_exchange, queue.clone(), queue, Declarable::Bot(bot), state)
            }
            Destination::Delayed { seconds, bot, queue } => {
                // Without them the message would be an orphan when it is due.
                self.ensure_bot(&bot).await?;
                let (key, level) = (Topology::delay_routing_key(seconds, &bot, queue), Declarable::DelayQueue(seconds));
                let (state, queue) = (self.declared.state(&level), self.topology.delay_queue_name(seconds));
                (self.topology.delays_exchange(), key, queue, level, state)
            }
            Destination::Detour(bot, queue) => {
                let Some(node) = self.detour.get() else { return Ok(PublishOutcome::Unroutable) };
                self.ensure_bot(&bot).await?;
                let key = Topology::detour_routing_key(node, &bot, queue);
                let state = self.declared.state(&Declarable::Detour);
                (self.topology.delays_exchange(), key, self.topology.detour_name(node), Declarable::Detour, state)
            }
        };
        let (group, message) = (ChannelGroup::Queue(queue), Message { exchange, key, body, properties });
        match self.publish_once(publish_use.clone(), group.clone(), message.clone(), is_in_doubt).await? {
            PublishOutcome::Unroutable => {
                Box::pin(self.repair(&declarable, state)).await?;
                Box::pin(self.publish_once(publish_use, group, message, is_in_doubt)).await
            }
            outcome => Ok(outcome),
        }
    }

    async fn publish_once(
        &self,
        publish_use: PublishUse,
        group: ChannelGroup,
        message: Message,
        is_in_doubt: &mut bool,
    ) -> lapin::Result<PublishOutcome> {
        let (channels, is_single) = (&self.channels, group == ChannelGroup::Single);
        let published = self.publishes.publish(channels, publish_use.clone(), group, message.clone()).await?;
        let published = match published {
            Some(Err(failed)) if !is_single && is_of_channel(&failed.error) => {
                // The broker has closed the channel because of this message, or of another that was in flight. By itself it
                // shows; should it have been stored before, its courier drops the copy.
                *is_in_doubt |= failed.is_in_doubt;
                Box::pin(self.publishes.publish(channels, publish_use, ChannelGroup::Single, message)).await?
            }
            published => published,
        };
        match published {
            Some(Ok(outcome)) => Ok(outcome),
            // The exchange is missing.
            Some(Err(PublishFailed { error, .. })) if is_not_found(&error) => Ok(PublishOutcome::Unroutable),
            Some(Err(PublishFailed { error, is_in_doubt: true })) => {
                Ok(PublishOutcome::Unconfirmed(error_text(&error)))
            }
            Some(Err(PublishFailed { error, is_in_doubt: false })) => Err(error),
            // Nobody answers: who waits here has a timeout that is shorter.
            None => Ok(PublishOutcome::Unconfirmed("no confirm in time".to_owned())),
        }
    }
}

/// Whether an error has ended a channel, and not its connection.
fn is_of_channel(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => matches!(error.kind(), AMQPErrorKind::Soft(_)),
        ErrorKind::InvalidChannelState(..) => true,
        _ => false,
    }
}
