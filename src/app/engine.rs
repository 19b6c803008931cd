//! The engine that the settings choose, as ports.

use crate::adapters::embedded::Embedded;
use crate::adapters::objects::ObjectBlobs;
use crate::adapters::rabbitmq::RabbitQueue;
use crate::adapters::redis::{BufferedLedger, DistributedAcceptor, RedisLedger};
use crate::domain::{Failure, FailureClass, RecordUpdate, Status, Timestamp};
use crate::ports::{Acceptor, Blobs, Ledger, MediaIndex, OutcomeNotifier, Queue, Recipients};
use crate::settings::{self, Settings};
use crate::telemetry::Metrics;
use anyhow::Context;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The ports of the chosen engine.
#[derive(Clone)]
pub struct Engine {
    pub acceptor: Arc<dyn Acceptor>,
    pub queue: Arc<dyn Queue>,
    pub ledger: Arc<dyn Ledger>,
    pub media: Arc<dyn MediaIndex>,
    pub blobs: Arc<dyn Blobs>,
    pub outcome_notifier: Arc<dyn OutcomeNotifier>,
    pub recipients: Arc<dyn Recipients>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Embedded(Embedded),
    Distributed { queue: Arc<RabbitQueue>, ledger: Arc<BufferedLedger> },
}

impl Engine {
    /// Opens the embedded engine, or starts to connect the distributed one: that may be away now and come later.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        match &settings.engine {
            settings::EngineSettings::Embedded => {
                let folder = settings.data_dir.clone();
                let opened = tokio::task::spawn_blocking(move || Embedded::open(&folder)).await?;
                Ok(Self::embedded(opened.context("open the embedded engine")?))
            }
            settings::EngineSettings::Distributed(parts) => {
                let bots = settings.bots.keys().cloned().collect();
                let queue = RabbitQueue::connect(parts.amqp_urls.clone(), parts.namespace.clone(), bots);
                let redis = Arc::new(RedisLedger::new(&parts.redis_url, &parts.namespace).context("redis_url")?);
                let ledger = BufferedLedger::with_journal(redis.clone(), queue.clone());
                let blobs = ObjectBlobs::new(&parts.blobs, settings.blob_retention).context("blob_url")?;
                Ok(Self {
                    acceptor: Arc::new(DistributedAcceptor::new(queue.clone(), ledger.clone())),
                    queue: queue.clone(),
                    ledger: ledger.clone(),
                    media: ledger.clone(),
                    blobs: Arc::new(blobs),
                    outcome_notifier: queue.outcome_notifier(),
                    recipients: redis,
                    kind: Kind::Distributed { queue, ledger },
                })
            }
        }
    }

    fn embedded(embedded: Embedded) -> Self {
        Self {
            acceptor: embedded.acceptor.clone(),
            queue: embedded.queue.clone(),
            ledger: embedded.ledger.clone(),
            media: embedded.media.clone(),
            blobs: embedded.blobs.clone(),
            outcome_notifier: embedded.outcome_notifier.clone(),
            recipients: embedded.recipients.clone(),
            kind: Kind::Embedded(embedded),
        }
    }

    /// How many changes wait in memory for the ledger to come back.
    pub fn buffered(&self) -> usize {
        match &self.kind {
            Kind::Embedded(_) => 0,
            Kind::Distributed { ledger, .. } => ledger.buffered(),
        }
    }

    /// Writes down what the broker itself has buried: what crashed its workers so often that no courier saw it again.
    pub fn watch_buried(&self, metrics: Arc<Metrics>, halt: CancellationToken) {
        let Kind::Distributed { queue, ledger } = &self.kind else { return };
        let (mut buried, ledger) = (queue.subscribe_dead_letters(), ledger.clone());
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    () = halt.cancelled() => return,
                    next = buried.recv() => next,
                };
                let Some(found) = next else { return };
                let notification = &found.notification;
                let description = format!("taken out of the queue by the broker: {}", found.reason);
                let failure = Failure { class: FailureClass::Buried, error_code: None, description };
                let update =
                    RecordUpdate { failure: Some(failure), ..RecordUpdate::of(Status::Failed, Timestamp::now()) };
                // Unwritten, it stays where it is and comes again.
                if let Ok(written) = ledger.settle(notification, &update).await {
                    if written {
                        let class = FailureClass::Buried.as_str();
                        metrics.failed.with_label_values(&[notification.bot.as_str(), class]).inc();
                    }
                    found.done().await;
                }
            }
        });
    }

    /// Takes over into the ledger what was journaled while it was away, by this process or another. Every process helps.
    pub fn take_over_journal(&self, halt: CancellationToken) {
        let Kind::Distributed { queue, ledger } = &self.kind else { return };
        let (queue, ledger) = (queue.clone(), ledger.clone());
        tokio::spawn(halt.run_until_cancelled_owned(async move {
            loop {
                ledger.caught_up().await;
                let mut journal = queue.subscribe_journal();
                loop {
                    let Some(noted) = journal.recv().await else { return };
                    if let Err(error) = ledger.take_over(&noted.outcome).await {
                        tracing::debug!(%error, "the journal waits for the ledger");
                        break;
                    }
                    noted.done().await;
                }
            }
        }));
    }

    /// Writes and closes what is open.
    pub async fn close(&self, deadline: Instant) {
        match &self.kind {
            Kind::Embedded(embedded) => embedded.close().await,
            Kind::Distributed { queue, ledger } => {
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
