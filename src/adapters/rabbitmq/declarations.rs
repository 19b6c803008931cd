//! Declares what `topology` describes, and only what is missing. On a cluster, to bind what is bound already asks all nodes
//! and so hangs for as long as one of them is frozen, while looking whether a queue is there asks nobody (measured with
//! RabbitMQ 3.10).

use super::topology::{Binding, BotQueue, ExchangeDeclaration, NodeLabel, QueueDeclaration, Topology};
use crate::domain::BotName;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ErrorKind, Queue};

impl Topology {
    /// Whether all that the bots share is there. If not, the broker has closed the channel.
    pub(super) async fn finds_shared(&self, channel: &Channel) -> lapin::Result<bool> {
        finds(channel, &self.shared_exchanges(), &self.shared_queues()).await
    }

    /// Declares all that the bots share.
    pub(super) async fn declare_shared(&self, channel: &Channel) -> lapin::Result<()> {
        for queue in self.shared_queues() {
            declare_queue(channel, queue).await?;
        }
        let [work, delays, orphans, due] = self.shared_exchanges();
        for exchange in [work, delays, orphans] {
            declare_exchange(channel, exchange).await?;
        }
        bind(channel, self.shared_binding()).await?;
        declare_exchange(channel, due).await
    }

    /// Whether the queues of a bot are there and bound. If not, the broker has closed the channel.
    pub(super) async fn finds_bot(&self, channel: &Channel, bot: &BotName) -> lapin::Result<bool> {
        finds(channel, &[self.bot_marker(bot)], &self.bot_queues(bot)).await
    }

    /// Declares and binds the queues of a bot; needs [`Topology::declare_shared`].
    pub(super) async fn declare_bot(&self, channel: &Channel, bot: &BotName) -> lapin::Result<()> {
        for queue in self.bot_queues(bot) {
            declare_queue(channel, queue).await?;
        }
        for binding in self.bot_bindings(bot) {
            bind(channel, binding).await?;
        }
        declare_exchange(channel, self.bot_marker(bot)).await
    }

    /// Declares the delay queue of a level; needs [`Topology::declare_shared`].
    pub(super) async fn declare_delay_queue(&self, channel: &Channel, seconds: u64) -> lapin::Result<()> {
        declare_queue(channel, self.delay_queue(seconds)).await?;
        bind(channel, self.delay_binding(seconds)).await
    }

    /// Declares the detour of a node, on which the channel must be, if it is missing; needs [`Topology::declare_shared`].
    pub(super) async fn declare_detour(&self, channel: &Channel, node: &NodeLabel) -> lapin::Result<()> {
        declare_queue(channel, self.detour(node)).await?;
        bind(channel, self.detour_binding(node)).await
    }

    /// Whether the detour of a node is there. If not, the broker has closed the channel.
    pub(super) async fn finds_detour(&self, channel: &Channel, node: &NodeLabel) -> lapin::Result<bool> {
        finds(channel, &[], &[self.detour(node)]).await
    }

    /// Declares the token queue of a bot; says how many tokens lie ready and how many consumers there are.
    pub(super) async fn declare_owner_queue(&self, channel: &Channel, bot: &BotName) -> lapin::Result<Queue> {
        declare_queue(channel, self.owner_queue_declaration(bot)).await
    }

    /// Declares the queue of the workers; says how many there are.
    pub(super) async fn declare_workers_queue(&self, channel: &Channel) -> lapin::Result<Queue> {
        declare_queue(channel, self.workers_queue_declaration()).await
    }

    /// Declares the queue of the right to move.
    pub(super) async fn declare_moves_queue(&self, channel: &Channel) -> lapin::Result<Queue> {
        declare_queue(channel, self.moves_queue_declaration()).await
    }

    /// How many messages the queues of a bot have ready, and how many consumers; in the order of [`BotQueue::ALL`].
    pub(super) async fn inspect_bot(&self, channel: &Channel, bot: &BotName) -> lapin::Result<Vec<Queue>> {
        let mut queues = Vec::with_capacity(BotQueue::ALL.len());
        for queue in BotQueue::ALL {
            queues.push(find_queue(channel, self.bot_queue(bot, queue)).await?);
        }
        Ok(queues)
    }
}

/// Looks for each. What is missing is no error here, but the broker then closes the channel.
async fn finds(
    channel: &Channel,
    exchanges: &[ExchangeDeclaration],
    queues: &[QueueDeclaration],
) -> lapin::Result<bool> {
    let look = async {
        let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
        for exchange in exchanges {
            let (name, kind) = (exchange.name.clone(), exchange.kind.clone());
            channel.exchange_declare(name, kind, passive, FieldTable::default()).await?;
        }
        for queue in queues {
            find_queue(channel, queue.name.clone()).await?;
        }
        Ok(())
    };
    match look.await {
        Ok(()) => Ok(true),
        Err(error) if is_not_found(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks at a queue without declaring it: how many messages it has ready, and how many consumers.
pub(super) async fn find_queue(channel: &Channel, name: ShortString) -> lapin::Result<Queue> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(name, passive, FieldTable::default()).await
}

async fn declare_queue(channel: &Channel, queue: QueueDeclaration) -> lapin::Result<Queue> {
    channel.queue_declare(queue.name, QueueDeclareOptions::durable(), queue.arguments).await
}

async fn declare_exchange(channel: &Channel, exchange: ExchangeDeclaration) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(exchange.name, exchange.kind, durable, exchange.arguments).await
}

async fn bind(channel: &Channel, binding: Binding) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(binding.queue, binding.exchange, binding.key, options, FieldTable::default()).await
}

/// Whether the broker says that a queue or an exchange does not exist.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND),
        _ => false,
    }
}
