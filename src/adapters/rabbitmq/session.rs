//! One connection while it lives: its channels, what was declared on it, and the watch over it.

use super::address::BrokerAddress;
use super::amqp::error_text;
use super::channels::Channels;
use super::confirm_watch::ConfirmWatch;
use super::declared_once::{Declarable, DeclarationState, DeclaredOnce};
use super::publish_channels::PublishChannels;
use super::topology::{NodeLabel, Topology};
use crate::domain::BotName;
use futures_util::StreamExt;
use lapin::options::BasicQosOptions;
use lapin::{Channel, ConnectionProperties, Event};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How long to wait before a queue that was deleted is declared again. Declared at once, RabbitMQ takes it for the old one: the
/// consumer of that is not cancelled, counts as the new one's, and gets nothing (seen with RabbitMQ 3.10).
const REDECLARE_DELAY: Duration = Duration::from_secs(1);

/// How often to check whether the connection still stands, should no event say so.
const CONNECTION_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How often to make the broker answer something, and how long to wait for that answer. Heartbeats alone are too coarse:
/// lapin notices after 1.4 to 2.6 heartbeats, the broker after 2 to 3 (measured), so an owner could go on for seconds
/// beside its successor. This way it has stopped after 6 s, and the broker waits for 8 at least
/// ([`HEARTBEAT_SECONDS`](super::connection)).
const LIVENESS_CHECK_INTERVAL: Duration = Duration::from_secs(1);
const LIVENESS_TIMEOUT: Duration = Duration::from_secs(5);

/// How many channels may be closed without the broker having said so. A channel that waits for a queue without a leader
/// answers nothing any more, not even that it is closed, and every try to consume that queue leaves one behind. With so
/// many, the connection is built anew, which frees them; the broker's limit is 2,047 (RabbitMQ's `channel_max`).
const MAX_UNANSWERED_CLOSES: usize = 200;

/// With fewer channels on a connection, there may be too few: for [`RabbitQueue`](super::queue::RabbitQueue) consumes
/// up to 1,000 bots on one, each on a channel of its own, and publishes on up to 512.
const MIN_CHANNEL_MAX: u16 = 1_200;

/// Limit for an orderly close of the connection.
const CONNECTION_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Session {
    pub(super) channels: Channels,
    /// Only for the liveness check.
    liveness: Channel,
    ended: CancellationToken,
    pub(super) topology: Arc<Topology>,
    pub(super) declared: DeclaredOnce<Declarable>,
    /// Something that the bots share was missing, and with it may have gone what was bound to it.
    must_bind: AtomicBool,
    pub(super) confirms: Arc<ConfirmWatch>,
    pub(super) publishes: PublishChannels,
    /// The node by whose detour a notification may go, once that is known to be there.
    pub(super) detour: OnceLock<NodeLabel>,
}

impl Session {
    /// Connects and declares what all bots share.
    /// Says in `step` what it is about, for whoever gives up waiting.
    pub(super) async fn connect(
        name: &str,
        address: &BrokerAddress,
        topology: Arc<Topology>,
        step: &mut &'static str,
    ) -> lapin::Result<Self> {
        *step = "connecting";
        // Automatic recovery stays off: it hides the loss of an ownership.
        let properties = ConnectionProperties::default().with_connection_name(format!("pixcourier {name}").into());
        let connection = address.connect(properties).await?;
        let channel_max = connection.configuration().channel_max();
        if channel_max < MIN_CHANNEL_MAX {
            error!(channel_max, "RabbitMQ's channel_max is low: not every bot may be owned, nor everything published");
        }
        *step = "opening a channel";
        let liveness = connection.create_channel().await?;
        let ended = CancellationToken::new();
        let channels = Channels::new(connection, ended.clone());
        let (declared, must_bind) = (DeclaredOnce::default(), AtomicBool::new(false));
        let confirms = Arc::<ConfirmWatch>::default();
        let (publishes, detour) = (PublishChannels::new(confirms.clone()), OnceLock::new());
        let session = Self { channels, liveness, ended, topology, declared, must_bind, confirms, publishes, detour };
        *step = "looking for the queues that all bots share";
        session.declare_shared().await?;
        Ok(session)
    }

    /// Returns the reason as soon as the connection is closed or the broker falls silent.
    pub(super) async fn wait_until_lost(&self) -> String {
        tokio::select! {
            reason = self.wait_until_closed() => reason,
            reason = self.wait_until_silent() => reason,
            () = self.confirms.wait_until_left() => "publishes are not confirmed".to_owned(),
        }
    }

    /// Tells everybody who works on this session that it is lost.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// Waits for [`Session::end`].
    pub(super) async fn wait_until_ended(&self) {
        self.ended.cancelled().await;
    }

    async fn wait_until_silent(&self) -> String {
        loop {
            sleep(LIVENESS_CHECK_INTERVAL).await;
            if self.channels.unanswered_closes() >= MAX_UNANSWERED_CLOSES {
                return "too many channels are not answered".to_owned();
            }
            if self.is_blocked() {
                // In an alarm lapin writes nothing, so nothing is answered.
                continue;
            }
            // Any small request does; this one changes nothing on a channel without consumers.
            match timeout(LIVENESS_TIMEOUT, self.liveness.basic_qos(1, BasicQosOptions::default())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error_text(&error),
                Err(_) if self.is_blocked() => {}
                Err(_) => return "the broker does not answer".to_owned(),
            }
        }
    }

    async fn wait_until_closed(&self) -> String {
        let connection = &self.channels.connection;
        let mut events = pin!(connection.events_listener());
        let mut last_error = None;
        while connection.status().connected() {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Error(error)) => last_error = Some(error_text(&error)),
                    Some(Event::ConnectionBlocked(reason)) => warn!(reason, "RabbitMQ blocks publishers"),
                    Some(Event::ConnectionUnblocked) => info!("RabbitMQ takes messages again"),
                    Some(_) => {}
                    None => sleep(CONNECTION_POLL_INTERVAL).await,
                },
                () = sleep(CONNECTION_POLL_INTERVAL) => {}
            }
        }
        last_error.unwrap_or_else(|| "the connection has ended".to_owned())
    }

    /// A publish that was begun at this time was not confirmed. Leaves the node if the other one does better.
    pub(super) fn has_not_confirmed(&self, begun: Instant, other: Option<&Session>) {
        self.confirms.timed_out(begun, Instant::now());
        if other.is_some_and(|other| self.confirms.is_outdone_by(&other.confirms)) {
            self.confirms.leave();
        }
    }

    /// Whether the broker has an alarm and takes no publishes. Known only after the first publish in the alarm.
    pub(super) fn is_blocked(&self) -> bool {
        self.channels.connection.status().blocked()
    }

    /// Closes in order, which requeues what is unacked at once.
    pub(super) async fn close(&self) {
        self.end();
        let _ = timeout(CONNECTION_CLOSE_TIMEOUT, self.channels.connection.close(200, "OK".into())).await;
    }

    /// Declares what all bots share, if something of it is missing.
    async fn declare_shared(&self) -> lapin::Result<()> {
        if self.topology.finds_shared(&*self.channels.open().await?).await? {
            return Ok(());
        }
        self.must_bind.store(true, Ordering::Relaxed);
        self.topology.declare_shared(&*self.channels.open().await?).await
    }

    /// Declares the queues of a bot, if something of them is missing.
    pub(super) async fn declare_bot(&self, bot: &BotName) -> lapin::Result<()> {
        if !self.must_bind.load(Ordering::Relaxed)
            && self.topology.finds_bot(&*self.channels.open().await?, bot).await?
        {
            return Ok(());
        }
        self.topology.declare_bot(&*self.channels.open().await?, bot).await
    }

    /// Declares the queues of a bot, unless that was done on this session before.
    pub(super) async fn ensure_bot(&self, bot: &BotName) -> lapin::Result<DeclarationState> {
        self.declared.declare(&Declarable::Bot(bot.clone()), || Box::pin(self.declare_bot(bot))).await
    }

    /// Declares the detour of the node, if it is missing. While another node is frozen this takes until that goes on, so it
    /// is done ahead of need.
    pub(super) async fn prepare_detour(&self, node: NodeLabel) -> lapin::Result<()> {
        if !self.topology.finds_detour(&*self.channels.open().await?, &node).await? {
            self.topology.declare_detour(&*self.channels.open().await?, &node).await?;
        }
        let _ = self.detour.set(node);
        Ok(())
    }

    /// Declares what turned out to be missing, and binds it.
    pub(super) async fn repair(&self, missing: &Declarable, seen: DeclarationState) -> lapin::Result<()> {
        let declare = async {
            if let Declarable::Bot(_) = missing {
                sleep(REDECLARE_DELAY).await;
            }
            self.declare_shared().await?;
            match missing {
                Declarable::Shared => Ok(()),
                Declarable::Bot(bot) => self.topology.declare_bot(&*self.channels.open().await?, bot).await,
                Declarable::DelayQueue(seconds) => {
                    self.topology.declare_delay_queue(&*self.channels.open().await?, *seconds).await
                }
                Declarable::Detour => match self.detour.get() {
                    Some(node) => self.topology.declare_detour(&*self.channels.open().await?, node).await,
                    None => Ok(()),
                },
            }
        };
        self.declared.declare_again(missing, seen, declare).await
    }
}
