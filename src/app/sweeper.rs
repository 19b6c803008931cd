//! Removes records and images after their retention, and uploads that killed processes left behind, every ten minutes.
//! What may go is for each store to say: `sweep` of the ledger and of the blobs.

use super::engine::Engine;
use crate::domain::{EventId, Status, Timestamp};
use crate::intake::spool::Spool;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often. Several workers may sweep at the same time, which does no harm.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// How long after its expiry a notification that is still open counts as lost: longer than the longest attempt, than what is
/// held waits, and than workers stand still for a night.
const LOST_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Sweeps records and images until told to stop, and ends what is lost.
pub async fn run(engine: Engine, settings: Arc<Settings>, metrics: Arc<Metrics>, halt: CancellationToken) {
    loop {
        tokio::select! {
            () = halt.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
        let now = Timestamp::now();
        // It may take minutes where there is much to do, for which a stop does not wait.
        match halt.run_until_cancelled(engine.ports.ledger.sweep(now.minus(settings.record_retention))).await {
            Some(Ok(records)) => tracing::debug!(records, "swept old records"),
            Some(Err(error)) => tracing::warn!(%error, "cannot sweep old records now"),
            None => return,
        }
        match engine.ports.callbacks.sweep(now.minus(settings.record_retention)).await {
            Ok(callbacks) => tracing::debug!(callbacks, "swept callbacks that were given up"),
            Err(error) => tracing::warn!(%error, "cannot sweep callbacks now"),
        }
        let first_kept = EventId::first_of(now.minus(settings.record_retention));
        if let Err(error) = engine.ports.event_log.sweep(first_kept).await {
            tracing::warn!(%error, "cannot sweep old events now");
        }
        if let Err(error) = engine.ports.operations.sweep(now.minus(settings.record_retention)).await {
            tracing::warn!(%error, "cannot sweep old operations now");
        }
        end_lost(&engine, &metrics, now).await;
        match engine.ports.blobs.sweep(now.minus(settings.blob_retention), &*engine.ports.media).await {
            Ok(images) => tracing::debug!(images, "swept old images"),
            Err(error) => tracing::warn!(%error, "cannot sweep old images now"),
        }
    }
}

/// Ends notifications whose end was lost, or that nobody takes out of the queue, step by step.
async fn end_lost(engine: &Engine, metrics: &Metrics, now: Timestamp) {
    loop {
        match engine.ports.ledger.end_lost(now.minus(LOST_AFTER), now).await {
            Ok(ended) if ended.is_empty() => return,
            Ok(ended) => {
                let lost = ended.iter().filter(|(_, status)| *status == Status::Unknown).count();
                let never_tried = ended.len() - lost;
                tracing::warn!(
                    lost,
                    never_tried,
                    "ended: expired a day ago, and their end was lost, or nobody took them"
                );
                for (bot, status) in ended {
                    metrics.ended.with_label_values(&[bot.as_str(), status.as_str()]).inc();
                    if status == Status::Unknown {
                        metrics.lost.with_label_values(&[bot.as_str()]).inc();
                    }
                }
            }
            Err(error) => return tracing::warn!(%error, "cannot look for lost notifications now"),
        }
    }
}

/// Sweeps the spool until told to stop: a process that shares it may have been killed since this one began.
pub async fn sweep_spool(spool: Spool, halt: CancellationToken) {
    loop {
        tokio::select! {
            () = halt.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
        let spool = spool.clone();
        match tokio::task::spawn_blocking(move || spool.sweep()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(folders)) => tracing::info!(folders, "removed uploads that killed processes left behind"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot sweep the folder for uploads now"),
            Err(error) => tracing::error!(%error, "sweeping the folder for uploads crashed"),
        }
    }
}
