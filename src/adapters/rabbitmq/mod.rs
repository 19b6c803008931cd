//! The queue on RabbitMQ: quorum queues, persistent, mandatory and confirmed publishes, nothing held unacked for long.
//!
//! Two connections, each kept up by a supervisor ([`link`]); an subscription stands on one channel of the consuming
//! connection ([`stand`]) and owns while it holds the bot's token ([`tenure`]). Whatever fails, the channel is dropped,
//! which returns what was unacked, and everything is set up again from the same code.
//!
//! A message that is not due rides the rungs ([`topology`]): each time it comes back it is sent on to the largest rung
//! that fits, and the last fraction of a second is waited out in memory.

mod buried;
mod holding;
mod link;
mod office;
mod outcome_notifier;
mod outcomes;
mod parcel;
mod session;
mod shelf;
mod stand;
mod tenure;
mod token;
mod topology;

pub use buried::Buried;
pub use outcomes::Noted;

use crate::domain::{BotName, Lane, Notification, Timestamp};
use crate::ports::{Depth, OutcomeNotifier, Queue, QueueError, Receipt, Subscription};
use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use link::{Host, Link};
use office::{Office, PATIENCE};
use secrecy::SecretString;
use session::{Session, explain};
use shelf::Shelf;
use stand::Stand;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use topology::Topology;

/// How long [`RabbitQueue::close`] may take.
const CLOSE: Duration = Duration::from_secs(5);

/// [`Queue`] on RabbitMQ 3.10 or newer. Dropping it, too, ends everything it has started.
pub struct RabbitQueue {
    office: Arc<Office>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    _stop: DropGuard,
}

impl RabbitQueue {
    /// Returns at once and connects in the background, to the addresses (`amqp://` or `amqps://`) in rotation. The
    /// lanes of these bots are declared as soon as there is a connection, those of others on first use.
    ///
    /// `namespace` begins the name of every queue and exchange; at most 100 characters. Must be called within a Tokio
    /// runtime.
    pub fn connect(urls: Vec<SecretString>, namespace: String, bots: Vec<BotName>) -> Arc<Self> {
        let hosts: Arc<[Host]> = urls.iter().filter_map(Host::parse).collect();
        if hosts.len() < urls.len() {
            tracing::error!(unusable = urls.len() - hosts.len(), "some RabbitMQ addresses cannot be read");
        }
        let topology = Arc::new(Topology::new(namespace));
        let stop = CancellationToken::new();
        let (publishing, publisher) = Link::new("publishing", hosts.clone(), topology.clone(), stop.clone());
        let (consuming, consumer) = Link::new("consuming", hosts, topology.clone(), stop.clone());
        let office = Arc::new(Office {
            topology,
            publishing,
            consuming,
            holdings: Default::default(),
            worker: format!("{:016x}", fastrand::u64(..)),
            stop: stop.clone(),
            stalled: Mutex::default(),
        });
        let queue = Arc::new(Self { office: office.clone(), tasks: Mutex::default(), _stop: stop.drop_guard() });
        queue.spawn(publisher);
        queue.spawn(consumer);
        queue.spawn(async move {
            if let Some(session) = office.publishing.up().await {
                for bot in bots {
                    // What fails here is declared on first use.
                    let _ = timeout(PATIENCE, session.prepare(&bot)).await;
                }
            }
        });
        queue
    }

    /// Hands over what the broker has buried, until the receiver is dropped or the queue shuts down. Each must be
    /// answered with [`Buried::done`] within minutes; hold on to it and try again where that takes longer.
    pub fn subscribe_dead_letters(&self) -> mpsc::Receiver<Buried> {
        self.attend_shelf(buried::shelf(&self.office.topology))
    }

    /// Hands over what the journal holds, on the same terms.
    pub fn subscribe_journal(&self) -> mpsc::Receiver<Noted> {
        self.attend_shelf(outcomes::shelf(&self.office.topology))
    }

    fn attend_shelf<T: Send + 'static>(&self, shelf: Shelf<T>) -> mpsc::Receiver<T> {
        let (sender, receiver) = mpsc::channel(1);
        self.spawn(shelf.subscribe(self.office.clone(), sender));
        receiver
    }

    /// The way back of outcomes, by direct reply-to.
    pub fn outcome_notifier(&self) -> Arc<dyn OutcomeNotifier> {
        let outcome_notifier = Arc::new(outcome_notifier::RabbitSwitchboard::new(self.office.clone()));
        self.spawn(outcome_notifier.clone().run());
        outcome_notifier
    }

    /// Gives up all ownerships and closes the connections in order.
    pub async fn close(&self) {
        self.office.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = timeout(CLOSE, futures_util::future::join_all(tasks)).await;
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
        self.office.store(notification, notification.send_at).await
    }

    async fn subscribe(&self, bot: &BotName, window: u16) -> Result<Subscription, QueueError> {
        if self.office.stop.is_cancelled() {
            return Err(QueueError::Unavailable("the queue is shut down".to_owned()));
        }
        let (ownership_sender, ownership) = watch::channel(None);
        // Room for one: what waits behind it is still sorted by lane.
        let (deliveries_sender, deliveries) = mpsc::channel(1);
        let stand = Stand {
            office: self.office.clone(),
            bot: bot.clone(),
            window,
            ownership: ownership_sender,
            deliveries: deliveries_sender,
        };
        self.spawn(stand.run());
        Ok(Subscription { ownership, deliveries })
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        self.office.holdings.ack(receipt).await
    }

    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError> {
        self.office.holdings.check(receipt)?;
        let due = notification.send_at.map_or(until, |send_at| send_at.max(until));
        self.office.store(notification, Some(due)).await?;
        self.office.holdings.ack(receipt).await
    }

    /// Counts what is ready, and what this process holds unacked.
    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError> {
        let session = self.office.consuming.session()?;
        match timeout(PATIENCE, ready_by_lane(&session, &self.office.topology, bot)).await {
            Ok(Ok(mut lanes)) => {
                let out = self.office.holdings.count(bot);
                lanes.iter_mut().zip(out).for_each(|(lane, out)| *lane += out);
                Ok(Depth { lanes })
            }
            Ok(Err(error)) => Err(QueueError::Unavailable(format!("RabbitMQ: {}", explain(&error)))),
            Err(_) => Err(QueueError::Unavailable("RabbitMQ does not answer".to_owned())),
        }
    }

    async fn ready(&self) -> Result<(), QueueError> {
        self.office.ready()
    }
}

async fn ready_by_lane(session: &Session, topology: &Topology, bot: &BotName) -> lapin::Result<[u64; 3]> {
    session.prepare(bot).await?;
    let lease = session.lease().await?;
    let mut counts = [0; 3];
    for (count, lane) in counts.iter_mut().zip(Lane::ALL) {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = lease.channel.queue_declare(topology.lane(bot, lane), passive, FieldTable::default()).await?;
        *count = queue.message_count().into();
    }
    lease.give_back();
    Ok(counts)
}
