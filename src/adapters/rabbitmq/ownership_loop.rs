//! Waiting for the ownership of a bot: subscribe to its token queue, a quorum queue with a single active consumer; own the
//! bot while the token is held; begin again when anything fails.

use super::amqp::{RECONNECT_BACKOFF, consume, consumer_end_reason, setup_step};
use super::channels::CloseOnDrop;
use super::lane_consumer::consume_lanes;
use super::ownership_token::OwnershipToken;
use super::presence::count_workers;
use super::session::Session;
use super::subscription::BotSubscription;
use futures_util::StreamExt;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::BasicQosOptions;
use lapin::{Channel, Consumer};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

/// How long to wait for a token before publishing one where none lies ready. Several renewals of a living owner: one
/// token too many does no harm, it is acked at the owner's next renewal.
const TOKEN_REISSUE_INTERVAL: Duration = Duration::from_secs(90);

/// Before another try, after a token could not be published.
const TOKEN_REISSUE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A token that comes within this time after subscribing to a queue that nobody consumed cannot come from a living
/// owner: an owner's first renewal comes later than this. Also how long a
/// subscription must have lasted for the reconnection backoff to start anew.
const UNOWNED_PERIOD: Duration = Duration::from_secs(5);

/// How long to wait with a token that a living owner may just have let go: longer than that owner goes on without one
/// ([`TOKEN_RETURN_TIMEOUT`](super::token_renewal)).
const HANDOVER_WAIT: Duration = Duration::from_secs(3);

/// How often to check whether the former owner's consumers are gone.
const VACANCY_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Owns the bot of a subscription whenever that is possible.
pub(super) struct OwnershipLoop(pub(super) BotSubscription);

impl OwnershipLoop {
    /// Runs until the subscription is dropped or the queue shuts down.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.0.broker.stop.cancelled() => {}
            () = self.0.deliveries.closed() => {}
            () = self.wait_and_own_again_and_again() => {}
        }
    }

    async fn wait_and_own_again_and_again(&self) {
        let mut backoff = RECONNECT_BACKOFF.start();
        while let Some(session) = self.0.broker.consuming_of(self.0.stake).wait_for_session().await {
            let since = Instant::now();
            // Again, should a release have been taken for the end of this process: who stands by is a worker.
            self.0.broker.presence.join();
            self.0.broker.presence.wait_until_present().await;
            // What is unacked is requeued as the channel is dropped; the ownership has ended before that.
            let reason = tokio::select! {
                biased;
                () = session.wait_until_ended() => "the connection is lost".to_owned(),
                Err(reason) = self.wait_and_own(&session) => reason,
            };
            drop(session);
            self.0.broker.stakes.unclaim(self.0.stake);
            info!(bot = %self.0.bot, reason, "standing by again");
            if since.elapsed() > UNOWNED_PERIOD {
                backoff = RECONNECT_BACKOFF.start();
            }
            backoff.wait().await;
        }
    }

    /// Waits for the token and owns the bot, on one channel; ends with the reason for which that channel is of no more
    /// use.
    async fn wait_and_own(&self, session: &Session) -> Result<Infallible, String> {
        let BotSubscription { broker, bot, .. } = &self.0;
        let topology = &broker.topology;
        let channel = setup_step(session.channels.open()).await?;
        setup_step(session.declare_bot(bot)).await?;
        let queue = setup_step(topology.declare_owner_queue(&channel, bot)).await?;
        setup_step(channel.basic_qos(1, BasicQosOptions::default())).await?;
        // Without an x-priority: RabbitMQ 4 would hand the bot to a higher one at a renewal, with requests in flight.
        let mut tokens = consume(&channel, topology.owner_queue(bot)).await?;
        let subscribed = Instant::now();
        let is_missing = queue.message_count() == 0;
        let held = self.wait_for_token(&channel, &mut tokens, is_missing).await?;
        // The next is to get this very token, and not one that waits behind it.
        let _close_before_tokens = CloseOnDrop(&channel);
        if !broker.stakes.claim(self.0.stake, count_workers(topology, &channel).await) {
            return Err("others have room for the bot".to_owned());
        }
        let is_unowned = queue.consumer_count() == 0 && subscribed.elapsed() < UNOWNED_PERIOD;
        if !held.redelivered && !is_unowned {
            debug!(%bot, "waiting for the former owner to notice");
            tokio::select! {
                ended = tokens.next() => return Err(consumer_end_reason(ended)),
                () = sleep(HANDOVER_WAIT) => {}
            }
        }
        self.wait_until_queues_are_vacant(&channel).await?;
        consume_lanes(&self.0, &channel, &mut tokens, held).await
    }

    /// Waits until nobody consumes the bot's queues, but not for long. RabbitMQ 3.10 may give
    /// back the token of an owner that died before it gives back the messages that this owner held: consumed at once, the
    /// queues would deliver later messages first.
    async fn wait_until_queues_are_vacant(&self, channel: &Channel) -> Result<(), String> {
        let deadline = Instant::now() + HANDOVER_WAIT;
        loop {
            let queues = setup_step(self.0.broker.topology.inspect_bot(channel, &self.0.bot)).await?;
            if queues.iter().all(|queue| queue.consumer_count() == 0) || Instant::now() >= deadline {
                return Ok(());
            }
            sleep(VACANCY_POLL_INTERVAL).await;
        }
    }

    /// The next token. Publishes one at once if it is missing, and whenever none has come for long and none lies ready.
    async fn wait_for_token(
        &self,
        channel: &Channel,
        tokens: &mut Consumer,
        mut is_missing: bool,
    ) -> Result<AmqpDelivery, String> {
        let BotSubscription { broker, bot, .. } = &self.0;
        loop {
            let mut pause = TOKEN_REISSUE_INTERVAL.mul_f64(1.0 + fastrand::f64() / 2.0);
            if is_missing {
                let token = OwnershipToken::after(None, &broker.worker);
                if let Err(error) = broker.publish_token(bot, &token).await {
                    debug!(%bot, %error, "no token could be published");
                    pause = TOKEN_REISSUE_RETRY_INTERVAL;
                }
            }
            tokio::select! {
                token = tokens.next() => match token {
                    Some(Ok(token)) => return Ok(token),
                    ended => return Err(consumer_end_reason(ended)),
                },
                () = sleep(pause) => {}
            }
            is_missing = setup_step(broker.topology.declare_owner_queue(channel, bot)).await?.message_count() == 0;
        }
    }
}
