//! Waiting for the outcome of what was just accepted, for callers who would ask for it anyway.

use crate::domain::{NotificationId, Record};
use crate::http::state::AppState;
use crate::ports::{LedgerError, Ports};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The first pause between two looks, and the longest: what is quick is told at once, and what takes long costs little.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The record once it is final; `None` if it is not by then, if the ledger is away, or if this process is about to stop.
pub async fn for_end(state: &AppState, id: NotificationId, patience: Duration) -> Option<Record> {
    let mut ready = state.ready.clone();
    let look = |ports: Ports| async move {
        let (end, mut pause) = (Instant::now() + patience, FIRST_PAUSE);
        loop {
            match ports.ledger.get(id).await {
                Ok(Some(record)) if record.status.is_final() => return Ok(Some(record)),
                Ok(_) | Err(_) if Instant::now() + pause > end => return Ok::<_, LedgerError>(None),
                Ok(_) | Err(_) => sleep(pause).await,
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        found = state.with_ports(look) => found.ok().flatten(),
        _ = ready.wait_for(|is_ready| !is_ready) => None,
    }
}
