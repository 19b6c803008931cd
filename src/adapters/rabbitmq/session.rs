//! One connection while it lives: its channels, what was declared on it, and publishing with confirms.

use super::topology::Topology;
use crate::domain::BotName;
use futures_util::StreamExt;
use lapin::options::{BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Event};
use std::collections::HashSet;
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How many publishes may be under way at once, each on a channel of its own. lapin credits a returned message to
/// whichever confirm comes next on the channel, so with two under way on one channel the lost one could pass as stored.
/// Sixty-four keep a broker busy; the service needs a few hundred a second.
const CHANNELS: usize = 64;

/// How often to ask whether the connection still stands, should no event have told.
const LOOK: Duration = Duration::from_millis(250);

/// How often to ask the broker for a sign of life, and how long to wait for it. Heartbeats alone are too coarse: lapin
/// notices after 1.4 to 2.6 heartbeats, the broker after 2 to 3 (tried), so an owner could go on for seconds beside its
/// successor. This way it has stopped after 6 s, and the broker waits for 8 at least ([`super::link`]).
const PULSE: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(5);

/// How many closed channels may wait for the broker's word. A channel that waits for a queue without a leader answers
/// nothing any more, not even that it is closed, and every try to consume that queue leaves one behind. With so many, the
/// connection is built anew, which frees them; the broker's limit is 2,047 (RabbitMQ's `channel_max`).
const UNANSWERED: usize = 200;

pub(super) struct Session {
    connection: Connection,
    pulse: Channel,
    ended: CancellationToken,
    topology: Arc<Topology>,
    permits: Semaphore,
    idle: Mutex<Vec<Open>>,
    /// How many channels are closed and the broker has not said so.
    closing: Arc<AtomicUsize>,
    /// The bots whose lanes are declared.
    prepared: tokio::sync::Mutex<HashSet<BotName>>,
}

/// What the broker did with a message.
pub(super) enum Sent {
    /// On stable storage.
    Stored,
    /// Nowhere: no queue takes it.
    Unroutable,
    /// Nowhere: the queue is full.
    Refused,
}

impl Session {
    /// Connects and declares what all bots share.
    pub(super) async fn open(name: &str, uri: &AMQPUri, topology: Arc<Topology>) -> lapin::Result<Self> {
        // Automatic recovery stays off: it hides the loss of an ownership.
        let properties = ConnectionProperties::default().with_connection_name(format!("pixcourier {name}").into());
        let connection = Connection::connect_uri(uri.clone(), properties).await?;
        let pulse = connection.create_channel().await?;
        topology.declare_shared(&pulse).await?;
        Ok(Self {
            connection,
            pulse,
            ended: CancellationToken::new(),
            topology,
            permits: Semaphore::new(CHANNELS),
            idle: Mutex::default(),
            closing: Arc::default(),
            prepared: Default::default(),
        })
    }

    /// Ends when the connection does or the broker falls silent, with the reason.
    pub(super) async fn lost(&self) -> String {
        tokio::select! {
            reason = self.broken() => reason,
            reason = self.silent() => reason,
        }
    }

    /// Tells everybody who works on this session that it is lost.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// Ends when the session is said to be lost.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    async fn silent(&self) -> String {
        loop {
            sleep(PULSE).await;
            if self.closing.load(Ordering::Relaxed) >= UNANSWERED {
                return "too many channels are not answered".to_owned();
            }
            if self.blocked() {
                // In an alarm lapin writes nothing, so nothing is answered.
                continue;
            }
            // Any small request does; this one changes nothing on a channel without consumers.
            match timeout(SILENCE, self.pulse.basic_qos(1, BasicQosOptions::default())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return explain(&error),
                Err(_) if self.blocked() => {}
                Err(_) => return "the broker does not answer".to_owned(),
            }
        }
    }

    async fn broken(&self) -> String {
        let mut events = pin!(self.connection.events_listener());
        let mut last = None;
        while self.connection.status().connected() {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Error(error)) => last = Some(explain(&error)),
                    Some(Event::ConnectionBlocked(reason)) => warn!(reason, "RabbitMQ blocks publishers"),
                    Some(Event::ConnectionUnblocked) => info!("RabbitMQ takes messages again"),
                    Some(_) => {}
                    None => sleep(LOOK).await,
                },
                () = sleep(LOOK) => {}
            }
        }
        last.unwrap_or_else(|| "the connection has ended".to_owned())
    }

    /// Whether the broker has an alarm and takes nothing from us. Known only after the first publish in the alarm.
    pub(super) fn blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Closes in order, which returns what is unacked at once.
    pub(super) async fn close(&self) {
        self.end();
        let _ = timeout(Duration::from_secs(2), self.connection.close(200, "OK".into())).await;
    }

    /// A fresh channel, not one of the pool.
    pub(super) async fn channel(&self) -> lapin::Result<Open> {
        let channel = self.connection.create_channel().await?;
        Ok(Open { channel, closing: self.closing.clone(), ended: self.ended.clone() })
    }

    /// Makes sure that the bot has its lanes.
    pub(super) async fn prepare(&self, bot: &BotName) -> lapin::Result<()> {
        let mut prepared = self.prepared.lock().await;
        if !prepared.contains(bot) {
            let lease = self.lease().await?;
            self.topology.declare_lanes(&lease.channel, bot).await?;
            lease.give_back();
            prepared.insert(bot.clone());
        }
        Ok(())
    }

    /// Declares everything again, for somebody has deleted something.
    pub(super) async fn repair(&self, bot: &BotName) -> lapin::Result<()> {
        self.prepared.lock().await.clear();
        let lease = self.lease().await?;
        self.topology.declare_shared(&lease.channel).await?;
        lease.give_back();
        self.prepare(bot).await
    }

    /// Publishes and waits for the broker's word. May wait for ever: put a time limit round it.
    pub(super) async fn publish(
        &self,
        exchange: ShortString,
        key: ShortString,
        body: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<Sent> {
        let lease = self.lease().await?;
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = lease.channel.basic_publish(exchange, key, options, body, properties).await?.await?;
        let sent = match confirm {
            Confirmation::Ack(None) => Sent::Stored,
            Confirmation::Ack(Some(_)) | Confirmation::NotRequested => Sent::Unroutable,
            Confirmation::Nack(_) => Sent::Refused,
        };
        lease.give_back();
        Ok(sent)
    }

    /// A channel for one use. One that is not given back is closed: after an error or a time limit nobody knows what
    /// is still to come on it.
    pub(super) async fn lease(&self) -> lapin::Result<Lease<'_>> {
        let permit = self.permits.acquire().await.expect("never closed");
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let channel = match idle {
            Some(channel) => channel,
            None => {
                let channel = self.channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                channel
            }
        };
        Ok(Lease { session: self, channel, _permit: permit })
    }
}

/// A channel that is closed when dropped, and counted until the broker says that it is.
pub(super) struct Open {
    channel: Channel,
    closing: Arc<AtomicUsize>,
    ended: CancellationToken,
}

impl Deref for Open {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (channel, closing, ended) = (self.channel.clone(), self.closing.clone(), self.ended.clone());
        closing.fetch_add(1, Ordering::Relaxed);
        runtime.spawn(async move {
            // No longer than the session: a channel keeps its connection.
            ended.run_until_cancelled(channel.close(200, "OK".into())).await;
            closing.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// A channel of the pool, for one use.
pub(super) struct Lease<'a> {
    session: &'a Session,
    pub(super) channel: Open,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Everything went as it should: the channel is good for the next.
    pub(super) fn give_back(self) {
        self.session.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.channel);
    }
}

/// The reason of an error. lapin's errors hold no address.
pub(super) fn explain(error: &lapin::Error) -> String {
    error.to_string()
}
