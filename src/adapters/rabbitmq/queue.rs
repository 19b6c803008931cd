//! [`Queue`] and [`Journal`] on RabbitMQ.

use super::address::BrokerAddress;
use super::amqp::REQUEST_TIMEOUT;
use super::broker::Broker;
use super::connection::{BrokerConnection, NodesInUse};
use super::dead_letter::{DeadLetter, dead_letter_queue};
use super::depths::count_ready;
use super::journal::{JournalMessage, journal_queue};
use super::outcome_notifier::RabbitOutcomeNotifier;
use super::ownership_loop::OwnershipLoop;
use super::server_version;
use super::side_queue::SideQueue;
use super::spreading::spread;
use super::subscription::BotSubscription;
use super::topology::Topology;
use crate::domain::{BotName, Notification, Timestamp};
use crate::ports::{Depth, HandOver, Journal, JournalEntry, OutcomeNotifier, Queue, QueueError, Receipt, Subscription};
use async_trait::async_trait;
use secrecy::SecretString;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Limit for [`RabbitQueue::close`].
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Before a node that does not answer is asked for its version again: it may be away for long, and what it has not answered is in its log
/// when it comes back.
const VERSION_RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// For so many bots there is a consuming connection. Each bot has a channel there, of 2,047 that a connection may have
/// (RabbitMQ's `channel_max`).
const BOTS_PER_CONNECTION: usize = 1_000;

/// [`Queue`] on RabbitMQ 3.10 or newer. Dropping it, too, ends everything it has started.
pub struct RabbitQueue {
    broker: Arc<Broker>,
    addresses: Arc<[BrokerAddress]>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Starts what workers do beside consuming.
    working: Once,
    _stop: DropGuard,
}

impl RabbitQueue {
    /// Returns at once and connects in the background, to the addresses (`amqp://` or `amqps://`) in rotation. The
    /// lanes of these bots are declared as soon as there is a connection, those of others on first use.
    ///
    /// `namespace` begins the name of every queue and exchange; at most 100 characters. Must be called within a Tokio
    /// runtime.
    pub fn connect(urls: Vec<SecretString>, namespace: String, bots: Vec<BotName>) -> Arc<Self> {
        Self::connect_trusting(urls, None, namespace, bots)
    }

    /// The same, trusting the certificate authorities of `ca` (PEM) besides the system's.
    pub fn connect_trusting(
        urls: Vec<SecretString>,
        ca: Option<&Arc<str>>,
        namespace: String,
        bots: Vec<BotName>,
    ) -> Arc<Self> {
        let addresses: Arc<[BrokerAddress]> = urls.iter().filter_map(|url| BrokerAddress::parse(url, ca)).collect();
        if addresses.len() < urls.len() {
            tracing::error!(unusable = urls.len() - addresses.len(), "some RabbitMQ addresses cannot be read");
        }
        let topology = Arc::new(Topology::new(namespace));
        let stop = CancellationToken::new();
        let connect =
            |name, beside| BrokerConnection::new(name, addresses.clone(), topology.clone(), stop.clone(), beside);
        let apart = Arc::new(NodesInUse::default());
        let (publishing, publisher) = connect("publishing", Some(apart.clone()));
        let second = (addresses.len() > 1).then(|| connect("publishing 2", Some(apart)));
        let (second_publishing, second_publisher) = second.unzip();
        let (consuming, consumer) = connect("consuming", None);
        let more = (1..bots.len().div_ceil(BOTS_PER_CONNECTION)).map(|_| connect("consuming", None));
        let (more_consuming, more_consumers): (Vec<_>, Vec<_>) = more.unzip();
        let consuming = (consuming, more_consuming);
        let broker = Broker::new(topology.clone(), publishing, second_publishing, consuming, stop.clone());
        let broker = Arc::new(broker);
        let queue = Arc::new(Self {
            broker: broker.clone(),
            addresses,
            tasks: Mutex::default(),
            working: Once::new(),
            _stop: stop.drop_guard(),
        });
        queue.spawn(publisher);
        if let Some(publisher) = second_publisher {
            queue.spawn(publisher);
        }
        queue.spawn(consumer);
        more_consumers.into_iter().for_each(|consumer| queue.spawn(consumer));
        queue.spawn(broker.clone().resend_detoured());
        queue.spawn(async move {
            if let Some(session) = broker.publishing.wait_for_session().await {
                for bot in bots {
                    // What fails here is declared on first use.
                    let _ = timeout(REQUEST_TIMEOUT, session.ensure_bot(&bot)).await;
                }
            }
        });
        queue
    }

    /// Gives the dead letters, until the receiver is dropped or the queue shuts down. Each must be answered with
    /// [`DeadLetter::ack`] within minutes; hold on to it and try again where that takes longer.
    pub fn subscribe_dead_letters(&self) -> mpsc::Receiver<DeadLetter> {
        self.subscribe_side_queue(dead_letter_queue(&self.broker.topology))
    }

    /// Gives the entries of the journal, on the same terms.
    pub fn subscribe_journal(&self) -> mpsc::Receiver<JournalMessage> {
        self.subscribe_side_queue(journal_queue(&self.broker.topology))
    }

    fn subscribe_side_queue<T: Send + 'static>(&self, side_queue: SideQueue<T>) -> mpsc::Receiver<T> {
        let (sender, receiver) = mpsc::channel(1);
        self.spawn(side_queue.consume(self.broker.clone(), sender));
        receiver
    }

    /// A notifier that reaches callers of other processes, by direct reply-to.
    pub fn outcome_notifier(&self) -> Arc<dyn OutcomeNotifier> {
        let outcome_notifier = Arc::new(RabbitOutcomeNotifier::new(self.broker.clone()));
        self.spawn(outcome_notifier.clone().run());
        outcome_notifier
    }

    /// Looks at the version of every node, as soon as that answers, and tells what is wrong with it. Returns when all have answered.
    pub async fn look_at_versions(&self, tell: impl Fn(String)) {
        let looks = self.addresses.iter().map(async |address| {
            loop {
                match server_version::ask(address).await {
                    Ok(version) => {
                        tracing::info!(broker = address.label(), version, "RabbitMQ says its version");
                        return server_version::fault(&version).into_iter().for_each(&tell);
                    }
                    Err(error) => tracing::debug!(broker = address.label(), %error, "no version of RabbitMQ yet"),
                }
                sleep(VERSION_RETRY_INTERVAL).await;
            }
        });
        futures_util::future::join_all(looks).await;
    }

    /// How many orphans there are: notifications that were due and could be brought nowhere.
    pub async fn orphans(&self) -> Result<u64, QueueError> {
        let session = self.broker.consuming.session()?;
        count_ready(&session, self.broker.topology.orphans()).await
    }

    /// Gives up all ownerships and closes the connections in order.
    pub async fn close(&self) {
        self.broker.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = timeout(CLOSE_TIMEOUT, futures_util::future::join_all(tasks)).await;
    }

    /// Lets this process count as a worker, from its first subscription on.
    fn be_a_worker(&self) {
        self.broker.presence.join();
        self.working.call_once(|| {
            let broker = self.broker.clone();
            self.spawn(async move {
                let working =
                    async { tokio::join!(broker.presence.keep(&broker.consuming, &broker.topology), spread(&broker)) };
                broker.stop.run_until_cancelled(working).await;
            });
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::spawn(task));
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError> {
        self.broker.accept(notification).await
    }

    async fn subscribe(&self, bot: &BotName, window: u16) -> Result<Subscription, QueueError> {
        if self.broker.stop.is_cancelled() {
            return Err(QueueError::Unavailable("the queue is shut down".to_owned()));
        }
        self.be_a_worker();
        let (ownership_sender, ownership) = watch::channel(None);
        let (inherited_sender, inherited) = watch::channel(None);
        let (release_sender, release) = watch::channel(false);
        // Room for one: what waits behind it is still sorted by lane.
        let (deliveries_sender, deliveries) = mpsc::channel(1);
        let subscription = BotSubscription {
            broker: self.broker.clone(),
            bot: bot.clone(),
            window,
            ownership: ownership_sender,
            inherited: inherited_sender,
            stake: self.broker.stakes.add(bot, release_sender.clone()),
            release: release_sender,
            deliveries: deliveries_sender,
        };
        self.spawn(OwnershipLoop(subscription).run());
        Ok(Subscription { ownership, deliveries, release, inherited })
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        self.broker.unacked.ack(receipt).await
    }

    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError> {
        self.broker.unacked.check(receipt)?;
        let due = notification.send_at.map_or(until, |send_at| send_at.max(until));
        self.broker.put_back(notification, due).await?;
        self.broker.unacked.ack(receipt).await
    }

    /// A release that was not asked for means that this process is about to end: it counts as a worker no more, so that
    /// the others take more.
    async fn release(&self, bot: &BotName, epoch: u64, left: HandOver) -> Result<(), QueueError> {
        if !self.broker.stakes.is_asked(bot) {
            self.broker.presence.leave().await;
        }
        self.broker.releases.release(bot, epoch, left).await
    }

    /// Counts what is ready, and what this process holds unacked.
    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError> {
        let session = self.broker.consuming.session()?;
        let mut lanes = self.broker.depths.ready_by_lane(&session, &self.broker.unacked, bot).await?;
        let unacked = self.broker.unacked.count(bot);
        lanes.iter_mut().zip(unacked).for_each(|(lane, unacked)| *lane += unacked);
        Ok(Depth { lanes })
    }

    async fn ready(&self) -> Result<(), QueueError> {
        self.broker.ready()
    }
}

#[async_trait]
impl Journal for RabbitQueue {
    async fn append(&self, outcome: &JournalEntry) -> Result<(), QueueError> {
        self.broker.publish_journal_entry(outcome).await
    }
}
