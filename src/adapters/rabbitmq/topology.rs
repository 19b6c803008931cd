//! The names and the arguments of every exchange and queue, in one place: RabbitMQ refuses a second declaration that
//! differs from the first.
//!
//! A notification is published to the exchange `work` with the routing key `bot.lane`, or to the exchange of a delay
//! level, which keeps it for the level's message TTL and then dead-letters it to `work` with the same routing key.

use super::delay_levels::{self, DELAYS_SECONDS};
use crate::domain::{BotName, Lane};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind, Queue};
use std::time::Duration;

/// How many times a notification may come back without an ack before the broker makes it a dead letter. Before RabbitMQ
/// 4.3 a lost connection counts too, and so does every graceful restart of a worker: a low limit would discard innocents.
/// What crashes its worker is found by its interrupted attempts long before; this only ends a loop that no attempt is
/// part of.
const LANE_DELIVERY_LIMIT: i64 = 500;

/// Of queues whose messages nobody rejects. Yet a limit must be named: RabbitMQ 4 would drop after 20 returns.
const SIDE_QUEUE_DELIVERY_LIMIT: i64 = 1_000_000;

/// Ownership tokens are disposable: more of them than this are of no use, and the oldest goes first.
const MAX_OWNERSHIP_TOKENS: i64 = 8;

/// Names and declarations within one installation.
pub(super) struct Topology {
    namespace: String,
}

impl Topology {
    pub(super) fn new(namespace: String) -> Self {
        Self { namespace }
    }

    /// The exchange that feeds the lanes.
    pub(super) fn work_exchange(&self) -> ShortString {
        format!("{}.work", self.namespace).into()
    }

    pub(super) fn lane_queue(&self, bot: &BotName, lane: Lane) -> ShortString {
        format!("{}.{bot}.{}", self.namespace, lane.as_str()).into()
    }

    /// The routing key by which the work exchange knows a lane.
    pub(super) fn lane_routing_key(bot: &BotName, lane: Lane) -> ShortString {
        format!("{bot}.{}", lane.as_str()).into()
    }

    /// The queue of the ownership token.
    pub(super) fn owner_queue(&self, bot: &BotName) -> ShortString {
        format!("{}.{bot}.owner", self.namespace).into()
    }

    /// The queue whose consumers are the workers.
    pub(super) fn workers_queue(&self) -> ShortString {
        format!("{}.workers", self.namespace).into()
    }

    /// The queue whose active consumer may move a bot.
    pub(super) fn moves_queue(&self) -> ShortString {
        format!("{}.moves", self.namespace).into()
    }

    /// Where the broker puts what exceeded [`LANE_DELIVERY_LIMIT`].
    pub(super) fn dead_letter_queue(&self) -> ShortString {
        format!("{}.buried", self.namespace).into()
    }

    /// Where outcomes are kept that the ledger could not take.
    pub(super) fn journal_queue(&self) -> ShortString {
        format!("{}.outcomes", self.namespace).into()
    }

    /// Where messages are put that cannot be read, for a person to look at.
    pub(super) fn unreadable_queue(&self) -> ShortString {
        format!("{}.unreadable", self.namespace).into()
    }

    /// The exchange of the longest delay level within the given time; `None` if all are longer.
    pub(super) fn delay_exchange_within(&self, remaining: Duration) -> Option<ShortString> {
        delay_levels::longest_within(remaining).map(|seconds| self.delay_exchange(seconds))
    }

    fn delay_exchange(&self, seconds: u64) -> ShortString {
        format!("{}.delay.{seconds}", self.namespace).into()
    }

    /// Declares what all bots share.
    pub(super) async fn declare_shared(&self, channel: &Channel) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(self.work_exchange(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
        for queue in [self.dead_letter_queue(), self.unreadable_queue(), self.journal_queue()] {
            let arguments = vec![("x-delivery-limit", SIDE_QUEUE_DELIVERY_LIMIT.into())];
            declare_quorum_queue(channel, queue, arguments).await?;
        }
        for seconds in DELAYS_SECONDS {
            let name = self.delay_exchange(seconds);
            channel.exchange_declare(name.clone(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;
            let millis = i64::try_from(seconds * 1_000).expect("a few days in milliseconds");
            let mut arguments = dead_letter_to(self.work_exchange().as_str());
            arguments.push(("x-message-ttl", millis.into()));
            declare_quorum_queue(channel, name.clone(), arguments).await?;
            bind(channel, name.clone(), name, ShortString::default()).await?;
        }
        Ok(())
    }

    /// Declares the lanes of a bot; needs [`Topology::declare_shared`].
    pub(super) async fn declare_lanes(&self, channel: &Channel, bot: &BotName) -> lapin::Result<()> {
        for lane in Lane::ALL {
            let mut arguments = dead_letter_to("");
            arguments.push(("x-dead-letter-routing-key", long_string(self.dead_letter_queue().as_str())));
            arguments.push(("x-delivery-limit", LANE_DELIVERY_LIMIT.into()));
            declare_quorum_queue(channel, self.lane_queue(bot, lane), arguments).await?;
            let key = Self::lane_routing_key(bot, lane);
            bind(channel, self.lane_queue(bot, lane), self.work_exchange(), key).await?;
        }
        Ok(())
    }

    /// How many messages the declared lanes of a bot have ready, and how many consumers; in the order of [`Lane::ALL`].
    pub(super) async fn inspect_lanes(&self, channel: &Channel, bot: &BotName) -> lapin::Result<Vec<Queue>> {
        let mut lanes = Vec::with_capacity(Lane::ALL.len());
        for lane in Lane::ALL {
            let passive = QueueDeclareOptions { passive: true, ..Default::default() };
            lanes.push(channel.queue_declare(self.lane_queue(bot, lane), passive, FieldTable::default()).await?);
        }
        Ok(lanes)
    }

    /// Declares the token queue of a bot; says how many tokens lie ready and how many consumers there are.
    pub(super) async fn declare_owner_queue(&self, channel: &Channel, bot: &BotName) -> lapin::Result<Queue> {
        let arguments = vec![
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-max-length", MAX_OWNERSHIP_TOKENS.into()),
            ("x-overflow", long_string("drop-head")),
            ("x-delivery-limit", LANE_DELIVERY_LIMIT.into()),
        ];
        declare_quorum_queue(channel, self.owner_queue(bot), arguments).await
    }

    /// Declares the queue of the workers; says how many there are.
    pub(super) async fn declare_workers_queue(&self, channel: &Channel) -> lapin::Result<Queue> {
        let arguments = vec![("x-delivery-limit", SIDE_QUEUE_DELIVERY_LIMIT.into())];
        declare_quorum_queue(channel, self.workers_queue(), arguments).await
    }

    /// Declares the queue of the right to move.
    pub(super) async fn declare_moves_queue(&self, channel: &Channel) -> lapin::Result<Queue> {
        let arguments = vec![
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-max-length", MAX_OWNERSHIP_TOKENS.into()),
            ("x-overflow", long_string("drop-head")),
            ("x-delivery-limit", SIDE_QUEUE_DELIVERY_LIMIT.into()),
        ];
        declare_quorum_queue(channel, self.moves_queue(), arguments).await
    }
}

/// At-least-once dead-lettering needs both of the others (RabbitMQ quorum queue guide).
fn dead_letter_to(exchange: &str) -> Vec<(&'static str, AMQPValue)> {
    vec![
        ("x-dead-letter-exchange", long_string(exchange)),
        ("x-dead-letter-strategy", long_string("at-least-once")),
        ("x-overflow", long_string("reject-publish")),
    ]
}

async fn declare_quorum_queue(
    channel: &Channel,
    name: ShortString,
    arguments: Vec<(&'static str, AMQPValue)>,
) -> lapin::Result<Queue> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), long_string("quorum"));
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    channel.queue_declare(name, QueueDeclareOptions::durable(), table).await
}

async fn bind(channel: &Channel, queue: ShortString, exchange: ShortString, key: ShortString) -> lapin::Result<()> {
    channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
}

pub(super) fn long_string(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
