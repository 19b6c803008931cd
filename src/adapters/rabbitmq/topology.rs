//! The names and the arguments of every exchange and queue, in one place: RabbitMQ refuses a second declaration that
//! differs from the first. They are declared by `declarations`.
//!
//! A notification is published straight into its bot's queue (by the default exchange). One that has to wait is published
//! to the exchange `delays` with the routing key `seconds.bot.queue`; the delay queue of those seconds keeps it for its
//! message TTL and then dead-letters it, with the same key, to the exchange `due`, which knows the queue by the rest of
//! the key. What `due` can bring nowhere goes to its alternate exchange, `orphans`: a message that could not be
//! dead-lettered would hold the head of its delay queue for all bots.
//!
//! The exchange `work` and the delay queues that dead-letter to it are those of version 0.1.0. Nothing is published there
//! any more, but what lies in those queues, for up to 30 days, still arrives.

use crate::domain::{BotName, Lane};
use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

/// How many times a notification may come back without an ack before the broker makes it a dead letter. Before RabbitMQ
/// 4.3 a lost connection counts too, and so does every graceful restart of a worker: a low limit would discard innocents.
/// What crashes its worker is found by its interrupted attempts long before; this only ends a loop that no attempt is
/// part of.
const LANE_DELIVERY_LIMIT: i64 = 500;

/// Of queues whose messages nobody rejects. Yet a limit must be named: RabbitMQ 4 would drop after 20 returns.
const SIDE_QUEUE_DELIVERY_LIMIT: i64 = 1_000_000;

/// How long a message stays on a detour before it is brought to its queue, in milliseconds.
const DETOUR_TTL_MILLIS: i64 = 100;

/// Ownership tokens are disposable: more of them than this are of no use, and the oldest goes first.
const MAX_OWNERSHIP_TOKENS: i64 = 8;

/// A message of more bytes than this is large.
const LARGE_BYTES: usize = 64 * 1024;

/// How many large messages a consumer has unacked. RabbitMQ cannot bound that in bytes (it has no `prefetch-size`), and a window
/// of thousands is for small ones.
const LARGE_PREFETCH: u16 = 16;

/// A queue of a bot's notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BotQueue {
    /// What its courier has put back until its turn. Apart from the lanes, since it would be behind all that has come to
    /// its lane meanwhile.
    Returned,
    /// One of the three lanes.
    Lane(Lane),
    /// What is large, of any lane, whether new or put back.
    Large,
}

impl BotQueue {
    /// All of a bot, in the order in which they are consumed.
    pub(super) const ALL: [Self; 5] =
        [Self::Returned, Self::Lane(Lane::Urgent), Self::Lane(Lane::Normal), Self::Lane(Lane::Bulk), Self::Large];

    /// Where a message goes that belongs to this queue but for its size.
    pub(super) fn for_body(self, body: &[u8]) -> Self {
        if body.len() > LARGE_BYTES { Self::Large } else { self }
    }

    /// How many of its messages a consumer whose window has so many may have unacked.
    pub(super) fn prefetch(self, window: u16) -> u16 {
        match self {
            Self::Large => window.min(LARGE_PREFETCH),
            Self::Returned | Self::Lane(_) => window,
        }
        .max(1)
    }

    /// Its place in [`BotQueue::ALL`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Returned => 0,
            Self::Lane(lane) => 1 + lane as usize,
            Self::Large => 4,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Lane(lane) => lane.as_str(),
            Self::Large => "large",
        }
    }
}

/// A node of a cluster, as routing keys name it.
pub(super) struct NodeLabel(String);

impl NodeLabel {
    /// By its address. One word, since dots part the words of a routing key; cut off, since a key has 255 bytes at most.
    pub(super) fn of(address: &str) -> Self {
        Self(address.replace('.', "-").chars().take(60).collect())
    }
}

/// A queue and the arguments of its declaration.
pub(super) struct QueueDeclaration {
    pub(super) name: ShortString,
    pub(super) arguments: FieldTable,
}

impl QueueDeclaration {
    fn quorum<const N: usize>(name: ShortString, arguments: [(&'static str, AMQPValue); N]) -> Self {
        let mut table = FieldTable::default();
        table.insert("x-queue-type".into(), long_string("quorum"));
        for (key, value) in arguments {
            table.insert(key.into(), value);
        }
        Self { name, arguments: table }
    }
}

/// An exchange and the arguments of its declaration.
pub(super) struct ExchangeDeclaration {
    pub(super) name: ShortString,
    pub(super) kind: ExchangeKind,
    pub(super) arguments: FieldTable,
}

/// That messages of an exchange go to a queue.
pub(super) struct Binding {
    pub(super) queue: ShortString,
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
}

/// Names and arguments within one installation.
pub(super) struct Topology {
    namespace: String,
}

impl Topology {
    pub(super) fn new(namespace: String) -> Self {
        Self { namespace }
    }

    /// The exchange to which messages are published that have to wait.
    pub(super) fn delays_exchange(&self) -> ShortString {
        format!("{}.delays", self.namespace).into()
    }

    /// The routing key of a message that waits for so many seconds before it goes to the queue of the bot.
    pub(super) fn delay_routing_key(seconds: u64, bot: &BotName, queue: BotQueue) -> ShortString {
        format!("{seconds}.{bot}.{}", queue.as_str()).into()
    }

    pub(super) fn bot_queue(&self, bot: &BotName, queue: BotQueue) -> ShortString {
        format!("{}.{bot}.{}", self.namespace, queue.as_str()).into()
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

    /// Where messages are put whose bot has no queues any more. An exchange and a queue have this name.
    pub(super) fn orphans(&self) -> ShortString {
        format!("{}.orphans", self.namespace).into()
    }

    fn work_exchange(&self) -> ShortString {
        format!("{}.work", self.namespace).into()
    }

    fn due_exchange(&self) -> ShortString {
        format!("{}.due", self.namespace).into()
    }

    /// What all bots share. The exchange `due` comes last and not before the bindings: where it is, everything is.
    pub(super) fn shared_exchanges(&self) -> [ExchangeDeclaration; 4] {
        let plain = |name, kind| ExchangeDeclaration { name, kind, arguments: FieldTable::default() };
        let mut alternate = FieldTable::default();
        alternate.insert("alternate-exchange".into(), long_string(self.orphans().as_str()));
        [
            plain(self.work_exchange(), ExchangeKind::Direct),
            plain(self.delays_exchange(), ExchangeKind::Topic),
            plain(self.orphans(), ExchangeKind::Fanout),
            ExchangeDeclaration { name: self.due_exchange(), kind: ExchangeKind::Topic, arguments: alternate },
        ]
    }

    pub(super) fn shared_queues(&self) -> [QueueDeclaration; 4] {
        [self.dead_letter_queue(), self.unreadable_queue(), self.journal_queue(), self.orphans()]
            .map(|name| QueueDeclaration::quorum(name, [("x-delivery-limit", SIDE_QUEUE_DELIVERY_LIMIT.into())]))
    }

    pub(super) fn shared_binding(&self) -> Binding {
        Binding { queue: self.orphans(), exchange: self.orphans(), key: ShortString::default() }
    }

    /// The queues of a bot's notifications, in the order of [`BotQueue::ALL`].
    pub(super) fn bot_queues(&self, bot: &BotName) -> [QueueDeclaration; 5] {
        let [exchange, strategy, overflow] = dead_letter_to("");
        BotQueue::ALL.map(|queue| {
            let arguments = [
                exchange.clone(),
                strategy.clone(),
                overflow.clone(),
                ("x-dead-letter-routing-key", long_string(self.dead_letter_queue().as_str())),
                ("x-delivery-limit", LANE_DELIVERY_LIMIT.into()),
            ];
            QueueDeclaration::quorum(self.bot_queue(bot, queue), arguments)
        })
    }

    /// By which what is due finds the queues of a bot; for the lanes also what an older version left in its delay queues.
    pub(super) fn bot_bindings(&self, bot: &BotName) -> Vec<Binding> {
        let due = BotQueue::ALL.into_iter().map(|queue| Binding {
            queue: self.bot_queue(bot, queue),
            exchange: self.due_exchange(),
            key: format!("*.{bot}.{}", queue.as_str()).into(),
        });
        let work = Lane::ALL.into_iter().map(|lane| Binding {
            queue: self.bot_queue(bot, BotQueue::Lane(lane)),
            exchange: self.work_exchange(),
            key: format!("{bot}.{}", lane.as_str()).into(),
        });
        due.chain(work).collect()
    }

    /// An exchange to which nobody publishes. It is declared once the queues of the bot are bound: where it is, they need
    /// not be bound again. A binding itself cannot be asked for.
    pub(super) fn bot_marker(&self, bot: &BotName) -> ExchangeDeclaration {
        let name = format!("{}.{bot}.bound", self.namespace).into();
        ExchangeDeclaration { name, kind: ExchangeKind::Fanout, arguments: FieldTable::default() }
    }

    pub(super) fn delay_queue_name(&self, seconds: u64) -> ShortString {
        format!("{}.wait.{seconds}", self.namespace).into()
    }

    /// The delay queue of a level.
    pub(super) fn delay_queue(&self, seconds: u64) -> QueueDeclaration {
        let [exchange, strategy, overflow] = dead_letter_to(self.due_exchange().as_str());
        let millis = i64::try_from(seconds * 1_000).expect("a month in milliseconds");
        QueueDeclaration::quorum(
            self.delay_queue_name(seconds),
            [exchange, strategy, overflow, ("x-message-ttl", millis.into())],
        )
    }

    pub(super) fn delay_binding(&self, seconds: u64) -> Binding {
        let queue = self.delay_queue_name(seconds);
        Binding { queue, exchange: self.delays_exchange(), key: format!("{seconds}.#").into() }
    }

    pub(super) fn detour_name(&self, node: &NodeLabel) -> ShortString {
        format!("{}.detour.{}", self.namespace, node.0).into()
    }

    /// The detour of a node: a queue for what must go to another whose leader does not answer, and which brings it there by
    /// itself. Its only member is the node on which it is declared, so it depends on no other.
    pub(super) fn detour(&self, node: &NodeLabel) -> QueueDeclaration {
        let [exchange, strategy, overflow] = dead_letter_to(self.due_exchange().as_str());
        let ttl = ("x-message-ttl", DETOUR_TTL_MILLIS.into());
        QueueDeclaration::quorum(
            self.detour_name(node),
            [exchange, strategy, overflow, ttl, ("x-quorum-initial-group-size", 1.into())],
        )
    }

    pub(super) fn detour_binding(&self, node: &NodeLabel) -> Binding {
        let queue = self.detour_name(node);
        Binding { queue, exchange: self.delays_exchange(), key: format!("{}.#", node.0).into() }
    }

    /// The routing key of a message that goes to the queue of the bot by the detour of a node.
    pub(super) fn detour_routing_key(node: &NodeLabel, bot: &BotName, queue: BotQueue) -> ShortString {
        format!("{}.{bot}.{}", node.0, queue.as_str()).into()
    }

    /// The token queue of a bot.
    pub(super) fn owner_queue_declaration(&self, bot: &BotName) -> QueueDeclaration {
        let arguments = [
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-max-length", MAX_OWNERSHIP_TOKENS.into()),
            ("x-overflow", long_string("drop-head")),
            ("x-delivery-limit", LANE_DELIVERY_LIMIT.into()),
        ];
        QueueDeclaration::quorum(self.owner_queue(bot), arguments)
    }

    /// The queue of the workers: each has one consumer there.
    pub(super) fn workers_queue_declaration(&self) -> QueueDeclaration {
        let arguments = [("x-delivery-limit", SIDE_QUEUE_DELIVERY_LIMIT.into())];
        QueueDeclaration::quorum(self.workers_queue(), arguments)
    }

    /// The queue of the right to move.
    pub(super) fn moves_queue_declaration(&self) -> QueueDeclaration {
        let arguments = [
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-max-length", MAX_OWNERSHIP_TOKENS.into()),
            ("x-overflow", long_string("drop-head")),
            ("x-delivery-limit", SIDE_QUEUE_DELIVERY_LIMIT.into()),
        ];
        QueueDeclaration::quorum(self.moves_queue(), arguments)
    }
}

/// At-least-once dead-lettering needs both of the others (RabbitMQ quorum queue guide).
fn dead_letter_to(exchange: &str) -> [(&'static str, AMQPValue); 3] {
    [
        ("x-dead-letter-exchange", long_string(exchange)),
        ("x-dead-letter-strategy", long_string("at-least-once")),
        ("x-overflow", long_string("reject-publish")),
    ]
}

pub(super) fn long_string(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
