//! The task that writes what is pending as soon as Redis takes changes again.

use super::buffer::WriteBehindBuffer;
use super::ledger_change::EntityKey;
use crate::backoff::BackoffPolicy;
use crate::ports::LedgerError;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// Changes written side by side; leaves connections to the rest.
const MAX_PARALLEL_WRITES: usize = 8;
/// Between tries whether Redis takes changes again.
const RETRY_BACKOFF: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(50), Duration::from_secs(1)).with_jitter(0.5);

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
    buffer.redis.probe().await?;
    buffer.availability.mark_back();
    let writers = (0..MAX_PARALLEL_WRITES).map(|_| async {
        loop {
            let Some((entity, change)) = buffer.pending().start_next() else { return Ok(()) };
            let written = buffer.apply(&change).await;
            finish_write(buffer, entity, written.is_ok());
            written?;
        }
    });
    join_all(writers).await.into_iter().collect()
}

fn finish_write(buffer: &WriteBehindBuffer, entity: EntityKey, is_written: bool) {
    let mut pending = buffer.pending();
    if is_written {
        pending.mark_written(entity);
    } else {
        buffer.mark_away();
        pending.mark_failed(entity);
    }
    buffer.pending_count.send_replace(pending.len());
}
