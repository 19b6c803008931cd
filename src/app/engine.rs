//! Opens the engine that the settings choose, and gives it out as [`Ports`].

use crate::adapters::embedded::{Embedded, OpenError};
use crate::adapters::objects::ObjectBlobs;
use crate::adapters::rabbitmq::RabbitQueue;
use crate::adapters::redis::{DistributedAcceptor, RedisLedger, WriteBehindLedger};
use crate::domain::{Failure, FailureClass, RecordUpdate, Status, Timestamp};
use crate::ports::{Ledger, LedgerError, Ports};
use crate::settings::{self, BlobLocation, Settings};
use crate::telemetry::Metrics;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The chosen engine, open.
#[derive(Clone)]
pub struct Engine {
    /// Its ports.
    pub ports: Ports,
    kind: EngineKind,
}

#[derive(Clone)]
enum EngineKind {
    Embedded(Embedded),
    Distributed { queue: Arc<RabbitQueue>, ledger: Arc<WriteBehindLedger>, redis: Arc<RedisLedger> },
}

/// Opens the embedded engine of a data folder, with its images in a folder in that. Blocks.
///
/// # Errors
/// The folder is in use or cannot be written to, or the database is damaged or newer.
pub fn open_embedded(data_dir: &Path, blob_retention: Duration) -> Result<Embedded, OpenError> {
    let unusable = |source| OpenError::Folder { folder: data_dir.to_owned(), source };
    std::fs::create_dir_all(data_dir).map_err(unusable)?;
    let images = BlobLocation::Folder(data_dir.to_owned());
    let blobs = ObjectBlobs::new(&images, blob_retention).map_err(|error| unusable(std::io::Error::other(error)))?;
    Embedded::open(data_dir, Arc::new(blobs))
}

impl Engine {
    /// Opens the embedded engine, or starts to connect the distributed one, whose servers may be away now and come later.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        match &settings.engine {
            settings::EngineSettings::Embedded => {
                let (folder, retention) = (settings.data_dir.clone(), settings.blob_retention);
                let opened = tokio::task::spawn_blocking(move || open_embedded(&folder, retention)).await?;
                let embedded = opened.context("open the embedded engine")?;
                embedded.unpack_blobs().await.context("move the images out of the database")?;
                Ok(Self { ports: embedded.ports.clone(), kind: EngineKind::Embedded(embedded) })
            }
            settings::EngineSettings::Distributed(parts) => {
                let bots = settings.bots.keys().cloned().collect();
                let (ca, namespace) = (parts.ca.as_ref(), &parts.namespace);
                let queue = RabbitQueue::connect_trusting(parts.amqp_urls.clone(), ca, namespace.clone(), bots);
                let redis = RedisLedger::new_trusting(&parts.redis_url, ca.map(AsRef::as_ref), namespace);
                let redis = Arc::new(redis.context("redis_url")?);
                let ledger = WriteBehindLedger::with_journal(redis.clone(), queue.clone(), Some(&settings.data_dir));
                let blobs = ObjectBlobs::new(&parts.blobs, settings.blob_retention).context("blob_url")?;
                let ports = Ports {
                    acceptor: Arc::new(DistributedAcceptor::new(queue.clone(), ledger.clone())),
                    queue: queue.clone(),
                    ledger: ledger.clone(),
                    media: ledger.clone(),
                    blobs: Arc::new(blobs),
                    outcome_notifier: queue.outcome_notifier(),
                    recipients: redis.clone(),
                    quotas: redis.clone(),
                    callbacks: redis.clone(),
                    event_log: redis.clone(),
                    operations: redis.clone(),
                    pauses: ledger.clone(),
                };
                Ok(Self { ports, kind: EngineKind::Distributed { queue, ledger, redis } })
            }
        }
    }

    /// Whether the embedded database was found damaged, so that nothing is accepted or sent any more.
    pub fn is_damaged(&self) -> bool {
        match &self.kind {
            EngineKind::Embedded(embedded) => embedded.is_damaged(),
            EngineKind::Distributed { .. } => false,
        }
    }

    /// What of the set-up of Redis breaks the promise; nothing on the embedded engine.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn faults_of_set_up(&self) -> Result<Vec<String>, LedgerError> {
        match &self.kind {
            EngineKind::Embedded(_) => Ok(Vec::new()),
            EngineKind::Distributed { redis, .. } => redis.faults_of_set_up().await,
        }
    }

    /// Tells what of RabbitMQ's set-up breaks the promise, of each node as soon as it answers; nothing on the embedded engine.
    pub async fn look_at_broker(&self, tell: impl Fn(String)) {
        if let EngineKind::Distributed { queue, .. } = &self.kind {
            queue.look_at_versions(tell).await;
        }
    }

    /// How many changes wait in memory for the ledger to come back (write-behind).
    pub fn buffered(&self) -> usize {
        match &self.kind {
            EngineKind::Embedded(_) => 0,
            EngineKind::Distributed { ledger, .. } => ledger.buffered(),
        }
    }

    /// How many notifications were due and could be brought nowhere. `None` if that cannot be asked now, and on the embedded
    /// engine, which has none.
    pub async fn orphans(&self) -> Option<u64> {
        match &self.kind {
            EngineKind::Embedded(_) => None,
            EngineKind::Distributed { queue, .. } => queue.orphans().await.ok(),
        }
    }

    /// Records dead letters as failed: notifications that were delivered and came back unacked so often (500 times) that the
    /// broker took them out of the queue. One that crashes its worker ends long before, by its interrupted attempts. `None` on the embedded engine, which has no broker.
    pub fn record_dead_letters(
        &self,
        metrics: Arc<Metrics>,
        halt: CancellationToken,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let EngineKind::Distributed { queue, ledger, .. } = &self.kind else { return None };
        let (mut dead_letters, ledger) = (queue.subscribe_dead_letters(), ledger.clone());
        let recording = async move {
            while let Some(dead_letter) = dead_letters.recv().await {
                let notification = &dead_letter.notification;
                let description = format!("taken out of the queue by the broker: {}", dead_letter.reason);
                let failure = Failure { class: FailureClass::Buried, error_code: None, description };
                let update =
                    RecordUpdate { failure: Some(failure), ..RecordUpdate::of(Status::Failed, Timestamp::now()) };
                // If it cannot be recorded, it is not acked and comes again.
                if let Ok(written) = ledger.settle(notification, &update).await {
                    if written {
                        let class = FailureClass::Buried.as_str();
                        metrics.failed.with_label_values(&[notification.bot.as_str(), class]).inc();
                    }
                    dead_letter.ack().await;
                }
            }
        };
        Some(async move { _ = halt.run_until_cancelled_owned(recording).await })
    }

    /// Writes to the ledger what this process or another has put into the journal while the ledger was away. `None` on the
    /// embedded engine, whose ledger is never away.
    pub fn apply_journal(&self, halt: CancellationToken) -> Option<impl Future<Output = ()> + use<>> {
        let EngineKind::Distributed { queue, ledger, .. } = &self.kind else { return None };
        let (queue, ledger) = (queue.clone(), ledger.clone());
        let applying = async move {
            loop {
                ledger.caught_up().await;
                let mut journal = queue.subscribe_journal();
                loop {
                    let Some(message) = journal.recv().await else { return };
                    if let Err(error) = ledger.apply_journal_entry(&message.outcome).await {
                        tracing::debug!(%error, "the journal waits for the ledger");
                        break;
                    }
                    message.ack().await;
                }
            }
        };
        Some(async move { _ = halt.run_until_cancelled_owned(applying).await })
    }

    /// Writes what waits for the ledger, until the deadline, and closes the engine.
    pub async fn close(&self, deadline: Instant) {
        match &self.kind {
            EngineKind::Embedded(embedded) => embedded.close().await,
            EngineKind::Distributed { queue, ledger, .. } => {
                let left = ledger.flush(deadline).await;
                if left > 0 {
                    tracing::warn!(
                        left,
                        "changes were not written: the ledger is away; outcomes are safe in the journal"
                    );
                }
                queue.close().await;
            }
        }
    }
}
