//! The names and the arguments of everything we declare, in one place: RabbitMQ refuses a second declaration that
//! differs from the first.
//!
//! A notification is published to the exchange `work` under the key `bot.lane`, or to the exchange of a rung, which
//! keeps it for the rung's time and then dead-letters it to `work` under the key it came with.

use crate::domain::{BotName, Lane};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind, Queue};
use std::time::Duration;

/// The delays of the rungs in seconds. Thirty days take some thirty hops, an hour ten.
const RUNGS: [u64; 10] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144];

/// How many times a notification may come back without an ack before it is buried. Before RabbitMQ 4.3 a lost
/// connection counts too, and so does every graceful restart of a worker: a low limit would bury innocents. What crashes
/// its worker is found by its interrupted attempts long before; this only ends a loop that no attempt is part of.
const DELIVERY_LIMIT: i64 = 500;

/// Tokens are disposable: more of them than this are of no use, and the oldest goes first.
const TOKENS: i64 = 8;

/// Names within one installation.
pub(super) struct Topology {
    namespace: String,
}

impl Topology {
    pub(super) fn new(namespace: String) -> Self {
        Self { namespace }
    }

    /// The exchange from which the lanes are fed.
    pub(super) fn work(&self) -> ShortString {
        format!("{}.work", self.namespace).into()
    }

    /// The queue of a lane.
    pub(super) fn lane(&self, bot: &BotName, lane: Lane) -> ShortString {
        format!("{}.{bot}.{}", self.namespace, lane.as_str()).into()
    }

    /// The key under which `work` knows a lane.
    pub(super) fn key(bot: &BotName, lane: Lane) -> ShortString {
        format!("{bot}.{}", lane.as_str()).into()
    }

    /// The queue of the ownership token.
    pub(super) fn owner(&self, bot: &BotName) -> ShortString {
        format!("{}.{bot}.owner", self.namespace).into()
    }

    /// Where the broker puts what came back too often.
    pub(super) fn buried(&self) -> ShortString {
        format!("{}.buried", self.namespace).into()
    }

    /// Where outcomes are kept that the ledger could not take.
    pub(super) fn outcomes(&self) -> ShortString {
        format!("{}.outcomes", self.namespace).into()
    }

    /// Where we put what we cannot read, for a person to look at.
    pub(super) fn unreadable(&self) -> ShortString {
        format!("{}.unreadable", self.namespace).into()
    }

    /// The exchange that delays by the largest rung within the given time; `None` if that is shorter than all.
    pub(super) fn rung_within(&self, remaining: Duration) -> Option<ShortString> {
        rung_within(remaining).map(|seconds| self.rung(seconds))
    }

    fn rung(&self, seconds: u64) -> ShortString {
        format!("{}.delay.{seconds}", self.namespace).into()
    }

    /// Declares what all bots share.
    pub(super) async fn declare_shared(&self, channel: &Channel) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(self.work(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
        for queue in [self.buried(), self.unreadable(), self.outcomes()] {
            // Nobody rejects what lies here, and yet a limit must be named: RabbitMQ 4 would drop after 20 returns.
            quorum(channel, queue, vec![("x-delivery-limit", 1_000_000_i64.into())]).await?;
        }
        for seconds in RUNGS {
            let name = self.rung(seconds);
            channel.exchange_declare(name.clone(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;
            let millis = i64::try_from(seconds * 1_000).expect("a few days in milliseconds");
            let mut arguments = dead_letters_to(self.work().as_str());
            arguments.push(("x-message-ttl", millis.into()));
            quorum(channel, name.clone(), arguments).await?;
            bind(channel, name.clone(), name, ShortString::default()).await?;
        }
        Ok(())
    }

    /// Declares the lanes of a bot; needs [`Topology::declare_shared`].
    pub(super) async fn declare_lanes(&self, channel: &Channel, bot: &BotName) -> lapin::Result<()> {
        for lane in Lane::ALL {
            let mut arguments = dead_letters_to("");
            arguments.push(("x-dead-letter-routing-key", text(self.buried().as_str())));
            arguments.push(("x-delivery-limit", DELIVERY_LIMIT.into()));
            quorum(channel, self.lane(bot, lane), arguments).await?;
            bind(channel, self.lane(bot, lane), self.work(), Self::key(bot, lane)).await?;
        }
        Ok(())
    }

    /// How many consumers the declared lanes of a bot have.
    pub(super) async fn lane_consumers(&self, channel: &Channel, bot: &BotName) -> lapin::Result<u32> {
        let mut consumers = 0;
        for lane in Lane::ALL {
            let passive = QueueDeclareOptions { passive: true, ..Default::default() };
            let queue = channel.queue_declare(self.lane(bot, lane), passive, FieldTable::default()).await?;
            consumers += queue.consumer_count();
        }
        Ok(consumers)
    }

    /// Declares the token queue of a bot; says how many tokens lie ready and how many consumers there are.
    pub(super) async fn declare_owner(&self, channel: &Channel, bot: &BotName) -> lapin::Result<Queue> {
        let arguments = vec![
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-max-length", TOKENS.into()),
            ("x-overflow", text("drop-head")),
            ("x-delivery-limit", DELIVERY_LIMIT.into()),
        ];
        quorum(channel, self.owner(bot), arguments).await
    }
}

fn rung_within(remaining: Duration) -> Option<u64> {
    RUNGS.into_iter().rev().find(|seconds| Duration::from_secs(*seconds) <= remaining)
}

/// At-least-once dead-lettering needs both of the others (RabbitMQ quorum queue guide).
fn dead_letters_to(exchange: &str) -> Vec<(&'static str, AMQPValue)> {
    vec![
        ("x-dead-letter-exchange", text(exchange)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

async fn quorum(
    channel: &Channel,
    name: ShortString,
    arguments: Vec<(&'static str, AMQPValue)>,
) -> lapin::Result<Queue> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    channel.queue_declare(name, QueueDeclareOptions::durable(), table).await
}

async fn bind(channel: &Channel, queue: ShortString, exchange: ShortString, key: ShortString) -> lapin::Result<()> {
    channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
}

pub(super) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_rung_that_fits_is_taken() {
        assert_eq!(rung_within(Duration::from_millis(999)), None);
        assert_eq!(rung_within(Duration::from_millis(1_000)), Some(1));
        assert_eq!(rung_within(Duration::from_millis(15_999)), Some(4));
        assert_eq!(rung_within(Duration::from_secs(30 * 86_400)), Some(262_144));
    }

    #[test]
    fn thirty_days_take_few_hops() {
        let mut remaining = Duration::from_secs(30 * 86_400) - Duration::from_millis(1);
        let mut hops = 0;
        while let Some(seconds) = rung_within(remaining) {
            remaining -= Duration::from_secs(seconds);
            hops += 1;
        }
        assert!(hops <= 36, "{hops}");
    }
}
