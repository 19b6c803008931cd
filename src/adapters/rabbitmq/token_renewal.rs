//! Renewing the ownership token: publish a fresh one, ack the old one, get the fresh one. When no other worker held a
//! token in between, the ownership goes on with the same epoch.

use super::amqp::{consumer_end_reason, setup_step};
use super::ownership_token::{HAND_OVER_VALID_FOR, OwnershipToken, TokenContinuity};
use super::subscription::BotSubscription;
use crate::ports::{HandOver, QueueError};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::BasicAckOptions;
use lapin::{Acker, Consumer};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

/// How long a token is held before it is renewed: far less than the 30 minutes after which RabbitMQ closes the channel
/// of an unacked delivery.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

/// Before a renewal that failed is tried again; the old token is held meanwhile.
const RENEWAL_RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// For how long an owner goes on that cannot renew: longer than a queue takes to get another leader. On the small side of a
/// network partition of the cluster the others have given the bot to somebody else by then.
const MAX_RENEWAL_FAILURE: Duration = Duration::from_secs(40);

/// How long the owner goes on between acking the old token and getting the new one. After that another worker has it.
const TOKEN_RETURN_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct TokenRenewal<'a> {
    subscription: &'a BotSubscription,
    /// The token held, or held last; `None` if it could not be read.
    token: Option<OwnershipToken>,
    acker: Acker,
    state: RenewalState,
    /// Since when renewals have failed.
    failing_since: Option<Instant>,
}

enum RenewalState {
    Holding { renew_at: Instant },
    Renewing { fresh: OwnershipToken, renewal: BoxFuture<'static, Result<Instant, QueueError>> },
    Awaiting { fresh: OwnershipToken, until: Instant },
}

impl<'a> TokenRenewal<'a> {
    /// Of a token that was just delivered.
    pub(super) fn holding(subscription: &'a BotSubscription, held: AmqpDelivery) -> Self {
        let renew_at = Instant::now() + RENEWAL_INTERVAL.mul_f64(0.75 + fastrand::f64() / 2.0);
        let token = OwnershipToken::read(&held.data);
        Self { subscription, token, acker: held.acker, state: RenewalState::Holding { renew_at }, failing_since: None }
    }

    /// Goes on to the next state when its time has come. Fails when another worker must have the token.
    pub(super) async fn progress(&mut self) -> Result<(), String> {
        match &mut self.state {
            RenewalState::Holding { renew_at } => {
                sleep_until(*renew_at).await;
                let fresh = OwnershipToken::after(self.token.as_ref(), &self.subscription.broker.worker);
                let renewal = Box::pin(renew(self.subscription, fresh.clone(), self.acker.clone()));
                self.state = RenewalState::Renewing { fresh, renewal };
            }
            RenewalState::Renewing { fresh, renewal } => match renewal.await {
                Ok(acked_at) => {
                    let until = acked_at + TOKEN_RETURN_TIMEOUT;
                    self.state = RenewalState::Awaiting { fresh: fresh.clone(), until };
                }
                Err(QueueError::Stale) => return Err("the token could not be acked".to_owned()),
                Err(error) => {
                    let bot = &self.subscription.bot;
                    warn!(%bot, %error, "could not renew the ownership, holding the old token");
                    self.state = RenewalState::Holding { renew_at: Instant::now() + RENEWAL_RETRY_INTERVAL };
                    return self.note_failure();
                }
            },
            RenewalState::Awaiting { until, .. } => {
                sleep_until(*until).await;
                return Err("another worker has the token".to_owned());
            }
        }
        Ok(())
    }

    /// Fails when renewals have failed for too long. In an alarm nobody can renew, nor get the bot.
    fn note_failure(&mut self) -> Result<(), String> {
        if self.subscription.broker.publishing.session().is_ok_and(|session| session.is_blocked()) {
            self.failing_since = None;
        } else if self.failing_since.get_or_insert_with(Instant::now).elapsed() >= MAX_RENEWAL_FAILURE {
            return Err("the ownership cannot be renewed".to_owned());
        }
        Ok(())
    }

    /// What the owner before left, if it gave the bot away by the token held. It is in no token when this returns: who owns
    /// the bot after this process must not believe it.
    pub(super) async fn take_inheritance(&mut self, tokens: &mut Consumer) -> Result<Option<HandOver>, String> {
        let Some(left) = self.token.as_ref().and_then(OwnershipToken::inheritance).cloned() else { return Ok(None) };
        if let Err(reason) = self.replace(tokens, None).await? {
            warn!(bot = %self.subscription.bot, reason, "takes the bot over without what was left");
            sleep(HAND_OVER_VALID_FOR).await;
            return Ok(None);
        }
        Ok(Some(left))
    }

    /// Puts a fresh token, with what is left to the next owner, in the place of the one held, and waits until it is held.
    /// The inner error: it could not be published, and the old one is held.
    pub(super) async fn replace(
        &mut self,
        tokens: &mut Consumer,
        left: Option<HandOver>,
    ) -> Result<Result<(), String>, String> {
        while !self.is_holding() {
            self.step(tokens).await?;
        }
        let plain = OwnershipToken::after(self.token.as_ref(), &self.subscription.broker.worker);
        let fresh = match left {
            Some(left) => plain.with_hand_over(left),
            None => plain,
        };
        let until = match renew(self.subscription, fresh.clone(), self.acker.clone()).await {
            Ok(acked_at) => acked_at + TOKEN_RETURN_TIMEOUT,
            Err(QueueError::Stale) => return Err("the token could not be acked".to_owned()),
            Err(error) => return Ok(Err(error.to_string())),
        };
        self.state = RenewalState::Awaiting { fresh, until };
        while !self.is_holding() {
            self.step(tokens).await?;
        }
        Ok(Ok(()))
    }

    async fn step(&mut self, tokens: &mut Consumer) -> Result<(), String> {
        tokio::select! {
            biased;
            token = tokens.next() => match token {
                Some(Ok(token)) => self.receive(token).await,
                ended => Err(consumer_end_reason(ended)),
            },
            progressed = self.progress() => progressed,
        }
    }

    fn is_holding(&self) -> bool {
        matches!(self.state, RenewalState::Holding { .. })
    }

    /// Takes a token that was delivered. Fails when another worker has held it meanwhile.
    pub(super) async fn receive(&mut self, received: AmqpDelivery) -> Result<(), String> {
        let (RenewalState::Renewing { fresh, .. } | RenewalState::Awaiting { fresh, .. }) = &self.state else {
            return Err("a second token was delivered".to_owned());
        };
        match TokenContinuity::of(OwnershipToken::read(&received.data).as_ref(), received.redelivered, fresh) {
            TokenContinuity::Kept => *self = Self::holding(self.subscription, received),
            TokenContinuity::Extra => {
                setup_step(received.ack(BasicAckOptions::default())).await?;
            }
            TokenContinuity::Broken => return Err("another worker has had the token".to_owned()),
        }
        Ok(())
    }
}

/// Publishes the fresh token, then acks the old one; says when. [`QueueError::Stale`] if the ack did not get through.
fn renew(
    subscription: &BotSubscription,
    fresh: OwnershipToken,
    old: Acker,
) -> impl Future<Output = Result<Instant, QueueError>> + use<> {
    let (broker, bot) = (subscription.broker.clone(), subscription.bot.clone());
    async move {
        broker.publish_token(&bot, &fresh).await?;
        let acked_at = Instant::now();
        match old.ack(BasicAckOptions::default()).await {
            Ok(true) => Ok(acked_at),
            Ok(false) | Err(_) => Err(QueueError::Stale),
        }
    }
}
