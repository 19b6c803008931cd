//! The task that writes what is pending as soon as Redis takes changes again.

use super::availability::Presence;
use super::buffer::WriteBehindBuffer;
use super::ledger_change::EntityKey;
use crate::backoff::BackoffPolicy;
use crate::ports::LedgerError;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;

/// Changes written side by side; leaves connections to the rest.
const MAX_PARALLEL_WRITES: usize = 8;
/// Between tries to write what Redis has refused although it is there.
const RETRY_BACKOFF: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(50), Duration::from_secs(1)).with_jitter(0.5);
/// Between tries whether Redis takes changes again. They overlap: one that went out while nobody was there has to run into its
/// time-out, and must not keep the next one from finding that Redis is back.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// So many tries at once; leaves connections to the rest.
const MAX_PARALLEL_PROBES: usize = 10;

/// Never ends.
pub(super) async fn flush_again_and_again(buffer: Arc<WriteBehindBuffer>) {
    loop {
        buffer.flush_needed.notified().await;
        let mut backoff = RETRY_BACKOFF.start();
        while buffer.availability.check().is_err() || buffer.pending().len() > 0 {
            if flush(&buffer).await.is_err() {
                backoff.wait().await;
            }
        }
    }
}

/// Writes until nothing is left, or one fails.
async fn flush(buffer: &WriteBehindBuffer) -> Result<(), LedgerError> {
    wait_until_back(buffer).await;
    let presence = buffer.availability.mark_back();
    let writers = (0..MAX_PARALLEL_WRITES).map(|_| async {
        loop {
            let Some((entity, change)) = buffer.pending().start_next() else { return Ok(()) };
            let written = buffer.apply(&change).await;
            finish_write(buffer, entity, written.as_ref().err(), presence);
            written?;
        }
    });
    join_all(writers).await.into_iter().collect()
}

/// Waits until Redis takes a change.
async fn wait_until_back(buffer: &WriteBehindBuffer) {
    let mut probes = FuturesUnordered::new();
    let mut ticks = tokio::time::interval(PROBE_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick(), if probes.len() < MAX_PARALLEL_PROBES => probes.push(buffer.redis.probe()),
            Some(probed) = probes.next() => if Result::is_ok(&probed) { return },
        }
    }
}

fn finish_write(buffer: &WriteBehindBuffer, entity: EntityKey, failure: Option<&LedgerError>, presence: Presence) {
    let mut pending = buffer.pending();
    match failure {
        None => pending.mark_written(entity),
        Some(error) => {
            buffer.mark_away(presence, error);
            pending.mark_failed(entity);
        }
    }
    buffer.pending_count.send_replace(pending.len());
}
