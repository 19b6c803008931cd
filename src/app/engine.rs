//! The engine that the settings choose, as ports.

use crate::adapters::embedded::Embedded;
use crate::adapters::objects::ObjectBlobs;
use crate::adapters::rabbitmq::RabbitQueue;
use crate::adapters::redis::{DistributedAcceptor, RedisLedger, WriteBehindLedger};
use crate::domain::{Failure, FailureClass, RecordUpdate, Status, Timestamp};
use crate::ports::{Ledger, Ports};
use crate::settings::{self, Settings};
use crate::telemetry::Metrics;
use anyhow::Context;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The ports of the chosen engine.
#[derive(Clone)]
pub struct Engine {
    /// Its ports.
    pub ports: Ports,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Embedded(Embedded),
    Distributed { queue: Arc<RabbitQueue>, ledger: Arc<WriteBehindLedger> },
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
                let ledger = WriteBehindLedger::with_journal(redis.clone(), queue.clone());
                let blobs = ObjectBlobs::new(&parts.blobs, settings.blob_retention).context("blob_url")?;
                let ports = Ports {
                    acceptor: Arc::new(DistributedAcceptor::new(queue.clone(), ledger.clone())),
                    queue: queue.clone(),
                    ledger: ledger.clone(),
                    media: ledger.clone(),
                    blobs: Arc::new(blobs),
                    outcome_notifier: queue.outcome_notifier(),
                    recipients: redis,
                };
                Ok(Self { ports, kind: Kind::Distributed { queue, ledger } })
            }
        }
    }

    fn embedded(embedded: Embedded) -> Self {
        Self { ports: embedded.ports.clone(), kind: Kind::Embedded(embedded) }
    }

    /// How many changes wait in memory for the ledger to come back.
    pub fn buffered(&self) -> usize {
        match &self.kind {
            Kind::Embedded(_) => 0,
            Kind::Distributed { ledger, .. } => ledger.buffered(),
        }
    }

    /// Records as failed what the broker has dead-lettered: what crashed its workers so often that no courier saw it
    /// again. `None` on the embedded engine, whose couriers see everything.
    pub fn record_dead_letters(
        &self,
        metrics: Arc<Metrics>,
        halt: CancellationToken,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let Kind::Distributed { queue, ledger } = &self.kind else { return None };
        let (mut dead_letters, ledger) = (queue.subscribe_dead_letters(), ledger.clone());
        let recording = async move {
            while let Some(found) = dead_letters.recv().await {
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
                    found.ack().await;
                }
            }
        };
        Some(async move { _ = halt.run_until_cancelled_owned(recording).await })
    }

    /// Applies to the ledger what was journaled while it was away, by this process or another. Every process helps.
    /// `None` on the embedded engine, whose ledger is never away.
    pub fn apply_journal(&self, halt: CancellationToken) -> Option<impl Future<Output = ()> + use<>> {
        let Kind::Distributed { queue, ledger } = &self.kind else { return None };
        let (queue, ledger) = (queue.clone(), ledger.clone());
        let applying = async move {
            loop {
                ledger.caught_up().await;
                let mut journal = queue.subscribe_journal();
                loop {
                    let Some(noted) = journal.recv().await else { return };
                    if let Err(error) = ledger.apply_journal_entry(&noted.outcome).await {
                        tracing::debug!(%error, "the journal waits for the ledger");
                        break;
                    }
                    noted.ack().await;
                }
            }
        };
        Some(async move { _ = halt.run_until_cancelled_owned(applying).await })
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
