//! Standing for the ownership of a bot: wait for the token, own while we hold it, begin again when anything fails.

use super::link::Backoff;
use super::office::Office;
use super::session::{Session, explain};
use super::tenure;
use super::token::Token;
use crate::domain::BotName;
use crate::ports::Delivery;
use futures_util::StreamExt;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

/// How long a step of setting up may take.
const STEP: Duration = Duration::from_secs(10);

/// How long to wait for a token before issuing one where none lies ready. Several renewals of a living owner: one too
/// many does no harm, it is acked at the owner's next renewal.
const REISSUE: Duration = Duration::from_secs(90);

/// How long after subscribing to a queue that nobody consumed a token cannot come from a living owner: an owner's first
/// renewal comes later than this.
const FRESH: Duration = Duration::from_secs(5);

/// How long to wait with a token that a living owner may just have let go: longer than that owner goes on without one
/// ([`tenure::GIVE_UP`]).
const HANDOVER: Duration = Duration::from_secs(3);

/// How often to ask whether the former owner's consumers are gone.
const LOOK: Duration = Duration::from_millis(20);

/// One subscription, seen from inside.
pub(super) struct Stand {
    pub(super) office: Arc<Office>,
    pub(super) bot: BotName,
    pub(super) window: u16,
    pub(super) ownership: watch::Sender<Option<u64>>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
}

impl Stand {
    /// Stands until the subscription is dropped or the queue shuts down.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.office.stop.cancelled() => {}
            () = self.deliveries.closed() => {}
            () = self.stand_again_and_again() => {}
        }
    }

    async fn stand_again_and_again(&self) {
        let mut backoff = Backoff::default();
        while let Some(session) = self.office.consuming.up().await {
            let since = Instant::now();
            // Whatever is unacked goes back as the channel is dropped; the ownership has ended before that.
            let reason = self.stand(&session).await;
            drop(session);
            info!(bot = %self.bot, reason, "standing by again");
            if since.elapsed() > FRESH {
                backoff = Backoff::default();
            }
            backoff.pause().await;
        }
    }

    /// Stands by and owns on one channel; ends with the reason for which that channel is of no more use.
    async fn stand(&self, session: &Session) -> String {
        tokio::select! {
            biased;
            () = session.ended() => "the connection is lost".to_owned(),
            Err(reason) = self.try_stand(session) => reason,
        }
    }

    async fn try_stand(&self, session: &Session) -> Result<Infallible, String> {
        let topology = &self.office.topology;
        let channel = step(session.channel()).await?;
        step(topology.declare_lanes(&channel, &self.bot)).await?;
        let queue = step(topology.declare_owner(&channel, &self.bot)).await?;
        step(channel.basic_qos(1, BasicQosOptions::default())).await?;
        // Without an x-priority: RabbitMQ 4 would hand the bot to a higher one at a renewal, with requests in flight.
        let mut tokens = consume(&channel, topology.owner(&self.bot), FieldTable::default()).await?;
        let subscribed = Instant::now();
        let issue = queue.message_count() == 0;
        let held = self.await_token(&channel, &mut tokens, issue).await?;
        let alone = queue.consumer_count() == 0 && subscribed.elapsed() < FRESH;
        if !held.redelivered && !alone {
            debug!(bot = %self.bot, "waiting for the former owner to notice");
            tokio::select! {
                ended = tokens.next() => return Err(ended_by(ended)),
                () = sleep(HANDOVER) => {}
            }
        }
        self.await_vacant(&channel).await?;
        tenure::own(self, &channel, &mut tokens, held).await
    }

    /// Waits until nobody consumes the lanes. The token of an owner that died may be back before its lanes are: what
    /// came from them meanwhile would overtake all that it held (tried, 3.10).
    async fn await_vacant(&self, channel: &Channel) -> Result<(), String> {
        let deadline = Instant::now() + HANDOVER;
        while step(self.office.topology.lane_consumers(channel, &self.bot)).await? > 0 && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// The next token. Issues one at once if told so, and whenever none has come for long and none lies ready.
    async fn await_token(
        &self,
        channel: &Channel,
        tokens: &mut Consumer,
        mut issue: bool,
    ) -> Result<AmqpDelivery, String> {
        loop {
            let mut pause = REISSUE.mul_f64(1.0 + fastrand::f64() / 2.0);
            if issue {
                let token = Token::after(None, &self.office.worker);
                if let Err(error) = self.office.issue(&self.bot, &token).await {
                    debug!(bot = %self.bot, %error, "no token could be issued");
                    pause = Duration::from_secs(1);
                }
            }
            tokio::select! {
                token = tokens.next() => match token {
                    Some(Ok(token)) => return Ok(token),
                    ended => return Err(ended_by(ended)),
                },
                () = sleep(pause) => {}
            }
            issue = step(self.office.topology.declare_owner(channel, &self.bot)).await?.message_count() == 0;
        }
    }
}

/// Starts a consumer.
pub(super) async fn consume(channel: &Channel, queue: ShortString, arguments: FieldTable) -> Result<Consumer, String> {
    step(channel.basic_consume(queue, ShortString::default(), BasicConsumeOptions::default(), arguments)).await
}

/// Makes one step within the time for it.
pub(super) async fn step<T>(work: impl Future<Output = lapin::Result<T>>) -> Result<T, String> {
    match timeout(STEP, work).await {
        Ok(result) => result.map_err(|error| explain(&error)),
        Err(_) => Err("RabbitMQ does not answer".to_owned()),
    }
}

/// Why a consumer gave no more: the end of its stream without an error is a fault like any other.
pub(super) fn ended_by(last: Option<lapin::Result<AmqpDelivery>>) -> String {
    match last {
        Some(Err(error)) => explain(&error),
        Some(Ok(_)) => "more was delivered than asked for".to_owned(),
        None => "RabbitMQ has cancelled the consumer".to_owned(),
    }
}
