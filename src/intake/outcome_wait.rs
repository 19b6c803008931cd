//! Waits for the outcome of a notification: from the outcome notifier, and in case that is lost, by polling the ledger.

use crate::domain::{NotificationId, Timestamp};
use crate::ports::{Ledger, Outcome, OutcomeWaiter};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the ledger is polled beside the outcome notifier.
const LEDGER_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// How often the ledger is polled once the outcome notifier cannot tell anything any more.
const LEDGER_ONLY_POLL_INTERVAL: Duration = Duration::from_millis(300);
/// How long an attempt that began before the deadline may take to end, beside its upload: somewhat longer than the courier
/// waits for Telegram's response.
const LAST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
/// The slowest upload that is waited for.
const SLOWEST_BYTES_PER_SECOND: u64 = 100_000;

/// The outcome, or `None` if nobody can say even long after the deadline.
pub async fn outcome(
    ledger: &dyn Ledger,
    id: NotificationId,
    waiter: OutcomeWaiter,
    deadline: Timestamp,
    upload_bytes: u64,
) -> Option<Outcome> {
    let last_attempt = LAST_ATTEMPT_TIMEOUT + Duration::from_secs(upload_bytes / SLOWEST_BYTES_PER_SECOND);
    let end = Instant::now() + deadline.since(Timestamp::now()) + last_attempt;
    let OutcomeWaiter { address, outcome: mut notified } = waiter;
    // Without an address (the broker is away, or has not assigned one yet) the notifier cannot reach this process.
    let mut can_be_notified = !address.is_empty();
    while Instant::now() < end {
        let poll_interval = if can_be_notified { LEDGER_POLL_INTERVAL } else { LEDGER_ONLY_POLL_INTERVAL };
        tokio::select! {
            outcome = &mut notified, if can_be_notified => match outcome {
                Ok(outcome) => return Some(outcome),
                Err(_) => can_be_notified = false,
            },
            () = sleep(poll_interval) => {}
        }
        if let Ok(Some(record)) = ledger.get(id).await
            && record.status.is_final()
        {
            return Some(record.into());
        }
    }
    None
}
