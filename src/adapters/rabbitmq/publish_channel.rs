//! A channel in confirm mode with many publishes in flight. All that it publishes goes to one queue, or it has one publish in
//! flight at a time: what a queue does to its channel (it keeps it waiting, has it closed) meets nobody else.

use super::attribution::{Attribution, Confirmed};
use super::channels::{AutoCloseChannel, Channels};
use super::confirm_watch::ConfirmWatch;
use super::in_flight::InFlightPermit;
use super::publish_outcome::PublishOutcome;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval};

/// How long to wait for a publisher confirm, whoever waits: longer than it takes to replace the leader of a queue whose node
/// is frozen (ten seconds, measured with RabbitMQ 3.10 and 4.0).
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(20);

/// How often to look for those that have waited for so long.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// A channel to whose publish a queue said no is replaced, unless it is younger than this: RabbitMQ's channel goes on refusing
/// for a queue by itself until that tells it otherwise, and a queue whose limit was taken away does not (seen with 3.10).
const RENEWED_AFTER: Duration = Duration::from_secs(1);

/// How many publishes are taken up at once.
const MAX_BATCH: usize = 64;

/// What is published, and where.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) body: Bytes,
    pub(super) properties: BasicProperties,
}

/// Why it is not known what became of a message.
pub(super) struct PublishFailed {
    pub(super) error: lapin::Error,
    /// Whether the broker may have it. If not, nothing was published.
    pub(super) is_in_doubt: bool,
}

/// What became of a message; `None` if no confirm has come in time.
pub(super) type Published = Option<Result<PublishOutcome, PublishFailed>>;

/// A message that is to be published, and who wants to know.
struct Publish {
    message: Message,
    caller: Caller,
}

struct Caller {
    answer: oneshot::Sender<Published>,
    /// Held until there is an answer, whether or not somebody still waits for it.
    _held: (InFlightPermit, ChannelUse),
}

/// What is known of a channel from outside.
#[derive(Default)]
pub(super) struct ChannelState {
    is_retired: AtomicBool,
    in_flight: AtomicUsize,
}

impl ChannelState {
    /// Whether it is to be used no more.
    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// How many publishes are in flight, or about to be.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }
}

/// The use of a channel for one publish, until that has an answer.
pub(super) struct ChannelUse(Arc<ChannelState>);

impl ChannelUse {
    pub(super) fn of(state: &Arc<ChannelState>) -> Self {
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }
}

impl Drop for ChannelUse {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way to the task that has the channel. The task ends when this is dropped and everybody has an answer.
pub(super) struct PublishChannel {
    publishes: mpsc::UnboundedSender<Publish>,
    state: Arc<ChannelState>,
}

impl PublishChannel {
    /// Opens a channel.
    pub(super) async fn open(
        channels: &Channels,
        confirms: Arc<ConfirmWatch>,
        state: Arc<ChannelState>,
    ) -> lapin::Result<Self> {
        let channel = channels.open().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (publishes, taken) = mpsc::unbounded_channel();
        let publisher = Publisher {
            channel,
            confirms,
            state: state.clone(),
            opened: Instant::now(),
            in_flight: Vec::new(),
            last: 0,
            attribution: Attribution::default(),
        };
        tokio::spawn(publisher.run(taken));
        Ok(Self { publishes, state })
    }

    /// Publishes; goes on when the caller has given up. That matters where a queue gets another leader: a channel that has
    /// published to it before is told so and gets its confirm, while a new one asks the former leader first, on a node that may
    /// be frozen.
    pub(super) async fn publish(&self, message: Message, held: (InFlightPermit, ChannelUse)) -> Published {
        let (answer, answered) = oneshot::channel();
        let publish = Publish { message, caller: Caller { answer, _held: held } };
        if self.publishes.send(publish).is_err() {
            self.state.retire();
        }
        answered.await.unwrap_or(None)
    }
}

type Confirming = BoxFuture<'static, Result<Confirmation, PublishFailed>>;

/// A publish that is under way on the channel.
struct InFlightPublish {
    number: u64,
    begun: Instant,
    confirming: Confirming,
    /// `None` once it was told that no confirm has come in time. The confirm must be waited for all the same: what lapin
    /// gives with it may be another's.
    caller: Option<Caller>,
}

struct Publisher {
    channel: AutoCloseChannel,
    confirms: Arc<ConfirmWatch>,
    state: Arc<ChannelState>,
    opened: Instant,
    /// In the order of their numbers.
    in_flight: Vec<InFlightPublish>,
    last: u64,
    attribution: Attribution<Option<Caller>>,
}

impl Publisher {
    async fn run(mut self, mut taken: mpsc::UnboundedReceiver<Publish>) {
        let (mut batch, mut expiry, mut is_wanted) = (Vec::new(), interval(EXPIRY_INTERVAL), true);
        while is_wanted || self.is_waited_for() {
            tokio::select! {
                biased;
                count = taken.recv_many(&mut batch, MAX_BATCH), if is_wanted => {
                    is_wanted = count > 0;
                    batch.drain(..).for_each(|publish| self.begin(publish));
                }
                answered = std::future::poll_fn(|cx| self.poll_answered(cx)), if !self.in_flight.is_empty() => {
                    if self.conclude(answered).is_break() {
                        return self.state.retire();
                    }
                }
                _ = expiry.tick(), if !self.in_flight.is_empty() => self.expire(Instant::now()),
            }
        }
    }

    fn is_waited_for(&self) -> bool {
        self.in_flight.iter().any(|publish| publish.caller.is_some())
    }

    /// Takes a publish up. It leaves, in its turn, at the first poll of its future.
    fn begin(&mut self, Publish { message, caller }: Publish) {
        self.last += 1;
        let confirming = confirm(self.channel.clone(), message, self.last).boxed();
        self.in_flight.push(InFlightPublish {
            number: self.last,
            begun: Instant::now(),
            confirming,
            caller: Some(caller),
        });
    }

    /// All that are answered, and that were before the last of them was: after each that is found, every other is looked at
    /// once more.
    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Answered>> {
        let mut answered = Vec::new();
        loop {
            let before = answered.len();
            self.in_flight.retain_mut(|publish| match publish.confirming.poll_unpin(cx) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    answered.push(Answered { number: publish.number, result, caller: publish.caller.take() });
                    false
                }
            });
            match answered.len() {
                0 => return Poll::Pending,
                found if found == before => return Poll::Ready(answered),
                _ => {}
            }
        }
    }

    /// Tells the callers what became of their messages, as far as that is known now. Breaks when nothing more can be known: who
    /// waits then is told that no confirm has come.
    fn conclude(&mut self, answered: Vec<Answered>) -> ControlFlow<()> {
        let (mut confirmed, mut has_failed) = (Vec::with_capacity(answered.len()), false);
        for Answered { number, result, caller } in answered {
            match result {
                Ok(confirmation) => confirmed.push((number, confirmed_of(confirmation)?, caller)),
                Err(failed) => {
                    has_failed = true;
                    tell(caller, Some(Err(failed)));
                }
            }
        }
        if !confirmed.is_empty() {
            self.confirms.answered(Instant::now());
        }
        // Those that have failed count as in flight: there are no confirms of theirs.
        let first = if has_failed { Some(0) } else { self.in_flight.first().map(|publish| publish.number) };
        for (caller, outcome) in self.attribution.decide(confirmed, first, self.last) {
            if outcome == PublishOutcome::Refused && self.opened.elapsed() >= RENEWED_AFTER {
                self.state.retire();
            }
            tell(caller, Some(Ok(outcome)));
        }
        if has_failed {
            // The channel is closed: no confirm will tell more.
            self.state.retire();
            self.attribution.give_up().for_each(|caller| tell(caller, None));
        }
        ControlFlow::Continue(())
    }

    /// Gives up those that have waited for too long, and the channel with them.
    fn expire(&mut self, now: Instant) {
        for publish in self.in_flight.iter_mut().filter(|publish| now - publish.begun >= CONFIRM_TIMEOUT) {
            self.state.retire();
            tell(publish.caller.take(), None);
        }
        if self.in_flight.iter().any(|publish| publish.caller.is_none()) {
            self.attribution.give_up().for_each(|caller| tell(caller, None));
        }
    }
}

struct Answered {
    number: u64,
    result: Result<Confirmation, PublishFailed>,
    caller: Option<Caller>,
}

/// Publishes and waits for the confirm.
async fn confirm(channel: Channel, message: Message, number: u64) -> Result<Confirmation, PublishFailed> {
    let Message { exchange, key, body, properties } = message;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    // By which a message that is returned is known.
    let properties = properties.with_correlation_id(number.to_string().into());
    let published = channel.basic_publish(exchange, key, options, &body, properties).await;
    drop(body);
    let confirm = published.map_err(|error| PublishFailed { error, is_in_doubt: false })?;
    confirm.await.map_err(|error| PublishFailed { error, is_in_doubt: true })
}

/// What a confirm says; breaks if a message was returned and it cannot be told whose it is.
fn confirmed_of(confirmation: Confirmation) -> ControlFlow<(), Confirmed> {
    let number = |returned: BasicReturnMessage| {
        let number = returned.delivery.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse().ok());
        number.map_or(ControlFlow::Break(()), |number| ControlFlow::Continue(Some(number)))
    };
    let returned = |returned: Option<BasicReturnMessage>| returned.map_or(ControlFlow::Continue(None), number);
    ControlFlow::Continue(match confirmation {
        Confirmation::Ack(message) => Confirmed::Ack(returned(message)?),
        Confirmation::Nack(message) => Confirmed::Nack(returned(message)?),
        // The channel is not in confirm mode.
        Confirmation::NotRequested => return ControlFlow::Break(()),
    })
}

fn tell(caller: Option<Caller>, published: Published) {
    // Who has given up does not hear it.
    let _ = caller.map(|caller| caller.answer.send(published));
}
