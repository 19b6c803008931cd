//! Polls the health of every part for the metrics, so that an alert need not wait for a request.

use super::engine::Engine;
use crate::telemetry::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often the parts are asked.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a part may take to say that it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// Polls until told to stop.
pub async fn run(engine: Engine, metrics: Arc<Metrics>, halt: CancellationToken) {
    loop {
        let (queue, ledger, blobs) = tokio::join!(
            timeout(READY_TIMEOUT, engine.ports.queue.ready()),
            timeout(READY_TIMEOUT, engine.ports.ledger.ready()),
            timeout(READY_TIMEOUT, engine.ports.blobs.ready()),
        );
        let parts = [
            ("queue", matches!(queue, Ok(Ok(())))),
            ("ledger", matches!(ledger, Ok(Ok(())))),
            ("blobs", matches!(blobs, Ok(Ok(())))),
        ];
        for (part, up) in parts {
            metrics.part_up.with_label_values(&[part]).set(i64::from(up));
        }
        metrics.ledger_buffered.set(i64::try_from(engine.buffered()).unwrap_or(i64::MAX));
        if let Ok(Ok(waiting)) = timeout(READY_TIMEOUT, engine.ports.callbacks.waiting()).await {
            metrics.callbacks_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        // Unknown while the broker is away, which another metric shows.
        if let Ok(Some(orphans)) = timeout(READY_TIMEOUT, engine.orphans()).await {
            metrics.orphans.set(i64::try_from(orphans).unwrap_or(i64::MAX));
        }
        tokio::select! {
            () = halt.cancelled() => return,
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
    }
}
