//! How long to wait for Telegram's answer, and how long before something is tried again.

use crate::backoff::BackoffPolicy;
use std::time::Duration;

/// Between two tries of one notification: exponential backoff with full jitter.
pub(super) const RETRY_BACKOFF: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(60))
    .with_jitter(1.0)
    .with_min(Duration::from_millis(100));

/// Between two tries of writing an outcome, or of an ack: others wait behind it, so it is tried more often.
pub(super) const WRITE_BACKOFF: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(8))
    .with_jitter(1.0)
    .with_min(Duration::from_millis(100));

/// Between two tries of a notification that cannot leave because a part of ours is away.
pub(super) const POSTPONE_BACKOFF: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(128));

/// Between two tries of a notification that must not overtake another, which is on its way.
pub(super) const BEHIND_BACKOFF: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(200), Duration::from_secs(8)).with_jitter(0.5);

/// How long to wait for the answer to an upload, or to a URL that Telegram fetches first, by the bytes to upload:
/// 90 s and 10 s for each MB.
pub fn upload_timeout(bytes: u64) -> Duration {
    Duration::from_secs(90 + bytes / 100_000)
}
