//! Owning a bot: its three lanes are consumed while its token is held, and the token is renewed in between.

use super::holding::Holding;
use super::parcel::Parcel;
use super::stand::{Stand, consume, ended_by, step};
use super::token::{Continuity, Token};
use crate::domain::{Lane, Timestamp};
use crate::ports::{Delivery, QueueError, Receipt};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

/// How long a token is held before it is renewed: far less than the 30 minutes after which RabbitMQ closes the channel
/// of an unacked delivery.
const RENEW: Duration = Duration::from_secs(30);

/// How long to wait before a renewal that failed is tried again; the old token is held meanwhile.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

/// How long the owner goes on between acking the old token and getting the new one. After that somebody else has it.
pub(super) const GIVE_UP: Duration = Duration::from_secs(2);

/// An ownership. Ends when it is dropped: first nobody may send any more, then its receipts are stale.
struct Tenure<'a> {
    stand: &'a Stand,
    epoch: u64,
    holding: Arc<Holding>,
}

impl<'a> Tenure<'a> {
    fn begin(stand: &'a Stand) -> Self {
        // Grows with time, and differs between processes.
        let now = u64::try_from(Timestamp::now().unix_millis()).unwrap_or(0);
        let epoch = now << 20 | fastrand::u64(..1 << 20);
        let holding = Arc::new(Holding::new(stand.bot.clone()));
        stand.office.holdings.begin(epoch, holding.clone());
        stand.ownership.send_replace(Some(epoch));
        info!(bot = %stand.bot, epoch, "owns the bot");
        Self { stand, epoch, holding }
    }
}

impl Drop for Tenure<'_> {
    fn drop(&mut self) {
        self.stand.ownership.send_replace(None);
        self.stand.office.holdings.end(self.epoch);
        info!(bot = %self.stand.bot, epoch = self.epoch, "no longer owns the bot");
    }
}

/// Closes the channel when dropped, consumers and all, so that everything unacked goes back at once and in its order. A
/// consumer that is cancelled before its channel is closed loses what is just on its way to it: that goes back ahead of
/// what was delivered earlier (tried, 3.10).
struct Closing<'a>(&'a Channel);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        // The first poll hands the request over; nobody needs the answer.
        let _ = self.0.close(200, "OK".into()).now_or_never();
    }
}

/// Owns the bot by the token held; ends with the reason for which it does no more.
pub(super) async fn own(
    stand: &Stand,
    channel: &Channel,
    tokens: &mut Consumer,
    held: AmqpDelivery,
) -> Result<Infallible, String> {
    // In the order in which they must not end: the tenure ends first, then the channel, then what consumes on it.
    let mut lanes;
    let mut renewal = Renewal::holding(stand, held);
    let _closing = Closing(channel);
    let tenure = Tenure::begin(stand);
    step(channel.basic_qos(stand.window.max(1), BasicQosOptions::default())).await?;
    lanes = [
        consume(channel, stand.office.topology.lane(&stand.bot, Lane::Urgent), FieldTable::default()).await?,
        consume(channel, stand.office.topology.lane(&stand.bot, Lane::Normal), FieldTable::default()).await?,
        consume(channel, stand.office.topology.lane(&stand.bot, Lane::Bulk), FieldTable::default()).await?,
    ];
    let mut sorting = Sorting { tenure: &tenure, ready: Default::default(), later: FuturesUnordered::new() };
    loop {
        tokio::select! {
            biased;
            token = tokens.next() => match token {
                Some(Ok(token)) => renewal.receive(token).await?,
                ended => return Err(ended_by(ended)),
            },
            renewed = renewal.progress() => renewed?,
            (lane, delivery) = next_of(&mut lanes) => match delivery {
                Some(Ok(delivery)) => sorting.take_in(lane, delivery),
                ended => return Err(ended_by(ended)),
            },
            Some(delivered) = sorting.later.next(), if !sorting.later.is_empty() => sorting.ready(delivered),
            permit = stand.deliveries.reserve(), if sorting.any_ready() => {
                let permit = permit.map_err(|_| "the subscription was dropped")?;
                if let Some(delivered) = sorting.next_ready() {
                    permit.send(delivered);
                }
            }
        }
    }
}

/// The next delivery of the lanes, the first lane first.
async fn next_of(lanes: &mut [Consumer; 3]) -> (Lane, Option<lapin::Result<AmqpDelivery>>) {
    std::future::poll_fn(|cx| {
        for (consumer, lane) in lanes.iter_mut().zip(Lane::ALL) {
            if let Poll::Ready(delivery) = consumer.poll_next_unpin(cx) {
                return Poll::Ready((lane, delivery));
            }
        }
        Poll::Pending
    })
    .await
}

/// What came from the lanes and is not handed on yet: three windows at the most, since all of it is unacked.
struct Sorting<'a> {
    tenure: &'a Tenure<'a>,
    ready: [VecDeque<Delivery>; 3],
    /// What is not due, or cannot be read. Dropped with the ownership.
    later: FuturesUnordered<BoxFuture<'static, Option<Delivery>>>,
}

impl Sorting<'_> {
    fn take_in(&mut self, lane: Lane, mut delivery: AmqpDelivery) {
        let Tenure { stand, epoch, holding } = self.tenure;
        let (office, holding) = (stand.office.clone(), holding.clone());
        let receipt = Receipt { bot: stand.bot.clone(), lane, epoch: *epoch, tag: delivery.delivery_tag };
        holding.add(lane, receipt.tag, delivery.acker.clone());
        match Parcel::read(&mut delivery) {
            Ok(parcel) if parcel.due.is_none_or(|due| due <= Timestamp::now()) => {
                self.ready(Some(delivered(parcel, receipt)));
            }
            Ok(parcel) => self.later.push(Box::pin(async move {
                if office.await_due(&parcel).await {
                    return Some(delivered(parcel, receipt));
                }
                ack(&holding, &receipt).await;
                None
            })),
            Err(reason) => {
                warn!(bot = %stand.bot, reason, "put aside a message that cannot be read");
                self.later.push(Box::pin(async move {
                    office.put_aside(&delivery, &reason).await;
                    ack(&holding, &receipt).await;
                    None
                }));
            }
        }
    }

    fn ready(&mut self, delivered: Option<Delivery>) {
        if let Some(delivered) = delivered {
            self.ready[delivered.receipt.lane as usize].push_back(delivered);
        }
    }

    fn any_ready(&self) -> bool {
        self.ready.iter().any(|lane| !lane.is_empty())
    }

    fn next_ready(&mut self) -> Option<Delivery> {
        self.ready.iter_mut().find_map(VecDeque::pop_front)
    }
}

fn delivered(parcel: Parcel, receipt: Receipt) -> Delivery {
    Delivery { notification: parcel.notification, receipt, redeliveries: parcel.redeliveries }
}

/// Acks what has a new place. Should that fail, the channel is gone and a twin comes back, which the ledger tells.
async fn ack(holding: &Holding, receipt: &Receipt) {
    if let Some(acker) = holding.take(receipt.lane, receipt.tag) {
        let _ = acker.ack(BasicAckOptions::default()).await;
    }
}

/// Keeping the token young: publish a fresh one, ack the old one, get the fresh one. Without another in between the
/// ownership stays the same one all the while.
struct Renewal<'a> {
    stand: &'a Stand,
    /// The token held, or held last.
    token: Option<Token>,
    acker: Acker,
    step: Step,
}

enum Step {
    Holding { renew_at: Instant },
    Renewing { fresh: Token, sending: BoxFuture<'static, Result<Instant, QueueError>> },
    Awaiting { fresh: Token, until: Instant },
}

impl<'a> Renewal<'a> {
    fn holding(stand: &'a Stand, held: AmqpDelivery) -> Self {
        let renew_at = Instant::now() + RENEW.mul_f64(0.75 + fastrand::f64() / 2.0);
        Self { stand, token: Token::read(&held.data), acker: held.acker, step: Step::Holding { renew_at } }
    }

    /// Goes on to the next step when its time has come. Fails when the token must be with somebody else.
    async fn progress(&mut self) -> Result<(), String> {
        match &mut self.step {
            Step::Holding { renew_at } => {
                sleep_until(*renew_at).await;
                let fresh = Token::after(self.token.as_ref(), &self.stand.office.worker);
                let sending = Box::pin(renew(self.stand, fresh.clone(), self.acker.clone()));
                self.step = Step::Renewing { fresh, sending };
            }
            Step::Renewing { fresh, sending } => match sending.await {
                Ok(acked_at) => self.step = Step::Awaiting { fresh: fresh.clone(), until: acked_at + GIVE_UP },
                Err(QueueError::Stale) => return Err("the token could not be acked".to_owned()),
                Err(error) => {
                    warn!(bot = %self.stand.bot, %error, "could not renew the ownership, holding the old token");
                    self.step = Step::Holding { renew_at: Instant::now() + RENEW_AGAIN };
                }
            },
            Step::Awaiting { until, .. } => {
                sleep_until(*until).await;
                return Err("another worker has the token".to_owned());
            }
        }
        Ok(())
    }

    /// Takes in a token that came.
    async fn receive(&mut self, received: AmqpDelivery) -> Result<(), String> {
        let (Step::Renewing { fresh, .. } | Step::Awaiting { fresh, .. }) = &self.step else {
            return Err("a second token was delivered".to_owned());
        };
        match Continuity::of(Token::read(&received.data).as_ref(), received.redelivered, fresh) {
            Continuity::Kept => *self = Self::holding(self.stand, received),
            Continuity::Extra => {
                step(received.ack(BasicAckOptions::default())).await?;
            }
            Continuity::Broken => return Err("another worker has had the token".to_owned()),
        }
        Ok(())
    }
}

/// Issues the fresh token, then acks the old one; says when. [`QueueError::Stale`] if that did not get through.
fn renew(stand: &Stand, fresh: Token, old: Acker) -> impl Future<Output = Result<Instant, QueueError>> + use<> {
    let (office, bot) = (stand.office.clone(), stand.bot.clone());
    async move {
        office.issue(&bot, &fresh).await?;
        let acked_at = Instant::now();
        match old.ack(BasicAckOptions::default()).await {
            Ok(true) => Ok(acked_at),
            Ok(false) | Err(_) => Err(QueueError::Stale),
        }
    }
}
