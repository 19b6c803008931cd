//! Looks whether a part of ours is back that was away, so that what waits for it need not wait out its backoff.

use crate::ports::Ports;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// How often to look while something waits.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// The looks at the ledger and the blob store.
#[derive(Debug)]
pub(super) struct PartWatch {
    probe: Option<JoinHandle<bool>>,
    next_probe: Instant,
    was_away: bool,
}

impl PartWatch {
    pub fn new() -> Self {
        Self { probe: None, next_probe: Instant::now(), was_away: false }
    }

    /// Returns when all parts answer after one did not. May be dropped and called again.
    pub async fn returned(&mut self, ports: &Ports) {
        loop {
            if self.probe.is_none() {
                sleep_until(self.next_probe).await;
            }
            let probe = self.probe.get_or_insert_with(|| tokio::spawn(all_answer(ports.clone())));
            let all_answer = probe.await.unwrap_or(false);
            (self.probe, self.next_probe) = (None, Instant::now() + PROBE_INTERVAL);
            if all_answer && std::mem::take(&mut self.was_away) {
                return;
            }
            self.was_away |= !all_answer;
        }
    }
}

async fn all_answer(ports: Ports) -> bool {
    let (ledger, blobs) = tokio::join!(ports.ledger.ready(), ports.blobs.ready());
    ledger.is_ok() && blobs.is_ok()
}
