//! Waiting for the end of a notification, with the ledger as the second way to hear of it.

use crate::domain::{NotificationId, Timestamp};
use crate::ports::{Ledger, Outcome, OutcomeWaiter};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the ledger is asked beside the outcome notifier, in case an outcome is lost on its way.
const LOOK: Duration = Duration::from_secs(3);
/// How often, once nothing can come any more.
const LOOK_ALONE: Duration = Duration::from_millis(300);
/// How long a request that began in time may take to end, and for how many bytes of its files a second more: that is how
/// long the courier waits for Telegram's answer, and some.
const LAST_ATTEMPT: Duration = Duration::from_secs(120);
const BYTES_PER_SECOND: u64 = 100_000;

/// The outcome, or `None` if nobody can say even long after the deadline.
pub async fn outcome(
    ledger: &dyn Ledger,
    id: NotificationId,
    listening: OutcomeWaiter,
    deadline: Timestamp,
    bytes: u64,
) -> Option<Outcome> {
    let last_attempt = LAST_ATTEMPT + Duration::from_secs(bytes / BYTES_PER_SECOND);
    let end = Instant::now() + deadline.since(Timestamp::now()) + last_attempt;
    let OutcomeWaiter { address, outcome: mut told } = listening;
    // Without an address (the broker is away, or has not given one yet) nobody can be told.
    let mut look = if address.is_empty() { LOOK_ALONE } else { LOOK };
    while Instant::now() < end {
        tokio::select! {
            outcome = &mut told, if look == LOOK => match outcome {
                Ok(outcome) => return Some(outcome),
                Err(_) => look = LOOK_ALONE,
            },
            () = sleep(look) => {}
        }
        if let Ok(Some(record)) = ledger.get(id).await
            && record.status.is_final()
        {
            return Some(record.into());
        }
    }
    None
}
