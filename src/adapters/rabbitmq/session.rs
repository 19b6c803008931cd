//! One connection while it lives: its channels, what was declared on it, publishing with publisher confirms, and the
//! watch over it.

use super::amqp::error_text;
use super::channel_pool::ChannelPool;
use super::topology::Topology;
use crate::domain::BotName;
use futures_util::StreamExt;
use lapin::options::{BasicPublishOptions, BasicQosOptions};
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Event};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

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

/// Limit for an orderly close of the connection.
const CONNECTION_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Session {
    pub(super) channels: ChannelPool,
    /// Only for the liveness check.
    liveness: Channel,
    ended: CancellationToken,
    topology: Arc<Topology>,
    /// The bots whose lanes are declared.
    declared: Mutex<HashSet<BotName>>,
}

/// What the broker did with a message.
pub(super) enum PublishOutcome {
    /// On stable storage.
    Stored,
    /// Nowhere: no queue takes it.
    Unroutable,
    /// Nowhere: the queue is full.
    Refused,
}

impl Session {
    /// Connects and declares what all bots share.
    pub(super) async fn connect(name: &str, uri: &AMQPUri, topology: Arc<Topology>) -> lapin::Result<Self> {
        // Automatic recovery stays off: it hides the loss of an ownership.
        let properties = ConnectionProperties::default().with_connection_name(format!("pixcourier {name}").into());
        let connection = Connection::connect_uri(uri.clone(), properties).await?;
        let liveness = connection.create_channel().await?;
        topology.declare_shared(&liveness).await?;
        let ended = CancellationToken::new();
        let channels = ChannelPool::new(connection, ended.clone());
        Ok(Self { channels, liveness, ended, topology, declared: Mutex::default() })
    }

    /// Returns the reason as soon as the connection is closed or the broker falls silent.
    pub(super) async fn wait_until_lost(&self) -> String {
        tokio::select! {
            reason = self.wait_until_closed() => reason,
            reason = self.wait_until_silent() => reason,
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

    /// Whether the broker has an alarm and takes no publishes. Known only after the first publish in the alarm.
    pub(super) fn is_blocked(&self) -> bool {
        self.channels.connection.status().blocked()
    }

    /// Closes in order, which requeues what is unacked at once.
    pub(super) async fn close(&self) {
        self.end();
        let _ = timeout(CONNECTION_CLOSE_TIMEOUT, self.channels.connection.close(200, "OK".into())).await;
    }

    /// Declares the lanes of a bot, unless that was done on this session before.
    pub(super) async fn ensure_lanes(&self, bot: &BotName) -> lapin::Result<()> {
        let mut declared = self.declared.lock().await;
        if !declared.contains(bot) {
            let channel = self.channels.acquire().await?;
            self.topology.declare_lanes(&channel, bot).await?;
            channel.give_back();
            declared.insert(bot.clone());
        }
        Ok(())
    }

    /// Declares everything again, for somebody has deleted something.
    pub(super) async fn redeclare(&self, bot: &BotName) -> lapin::Result<()> {
        self.declared.lock().await.clear();
        let channel = self.channels.acquire().await?;
        self.topology.declare_shared(&channel).await?;
        channel.give_back();
        self.ensure_lanes(bot).await
    }

    /// Publishes and waits for the publisher confirm. May wait for ever: the caller must set a timeout.
    pub(super) async fn publish(
        &self,
        exchange: ShortString,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<PublishOutcome> {
        let channel = self.channels.acquire().await?;
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = channel.basic_publish(exchange, key, options, body, properties).await?.await?;
        let outcome = match confirm {
            Confirmation::Ack(None) => PublishOutcome::Stored,
            Confirmation::Ack(Some(_)) | Confirmation::NotRequested => PublishOutcome::Unroutable,
            Confirmation::Nack(_) => PublishOutcome::Refused,
        };
        channel.give_back();
        Ok(outcome)
    }
}
