//! Removes records and images after their retention, and uploads that killed processes left behind, every ten minutes.
//! What may go is for each store to say: `sweep` of the ledger and of the blobs.

use super::engine::Engine;
use crate::domain::Timestamp;
use crate::intake::spool::Spool;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often. Several workers may sweep at the same time, which does no harm.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// Sweeps records and images until told to stop.
pub async fn run(engine: Engine, settings: Arc<Settings>, halt: CancellationToken) {
    loop {
        tokio::select! {
            () = halt.cancelled() => return,
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
        }
        let now = Timestamp::now();
        match engine.ports.ledger.sweep(now.minus(settings.record_retention)).await {
            Ok(records) => tracing::debug!(records, "swept old records"),
            Err(error) => tracing::warn!(%error, "cannot sweep old records now"),
        }
        match engine.ports.blobs.sweep(now.minus(settings.blob_retention), &*engine.ports.media).await {
            Ok(images) => tracing::debug!(images, "swept old images"),
            Err(error) => tracing::warn!(%error, "cannot sweep old images now"),
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
