//! A rate limit of the Bot API server on repeated uploads of the same size: for each total size over 100,000
//! bytes, per bot, calls are spaced by 0.2 to 0.9 seconds with an allowance of one second, and refused when more than
//! five seconds of them are waiting.

use std::collections::HashMap;
use std::time::Duration;

/// Up to this size nothing is slowed down.
const MAX_UNPACED_BYTES: u64 = 100_000;
const ALLOWANCE_SECONDS: f64 = 1.0;
const MAX_BACKLOG_SECONDS: f64 = 5.0;
/// How long a rejection is held back.
pub const REJECTION_DELAY: Duration = Duration::from_secs(3);
/// The `retry_after` of a rejection.
pub const REJECTION_RETRY_AFTER_SECONDS: u64 = 60;

/// When the next upload of a size is due, by bot and size.
#[derive(Default)]
pub struct UploadPacing(HashMap<(u64, u64), f64>);

impl UploadPacing {
    /// How long an upload of `bytes` in sum must wait, or `None` if it is refused.
    pub fn wait(&mut self, now: f64, bot: u64, bytes: u64) -> Option<Duration> {
        if bytes <= MAX_UNPACED_BYTES {
            return Some(Duration::ZERO);
        }
        if self.0.len() > 10_000 {
            self.0.retain(|_, due| *due > now - ALLOWANCE_SECONDS);
        }
        let due = self.0.entry((bot, bytes)).or_insert(f64::MIN);
        let turn = due.max(now - ALLOWANCE_SECONDS);
        if turn - now > MAX_BACKLOG_SECONDS {
            return None;
        }
        *due = turn + (bytes as f64 * 1e-7).clamp(0.2, 0.9);
        Some(Duration::from_secs_f64((turn - now).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_picture_uploaded_again_and_again_is_capped_near_five_a_second_and_refused_after_thirty() {
        let mut pacing = UploadPacing::default();
        let waits: Vec<_> = (0..40).map(|_| pacing.wait(0.0, 1, 300_000)).collect();
        assert_eq!(waits[5], Some(Duration::ZERO), "the allowance");
        assert!(waits[25].unwrap() >= Duration::from_secs_f64(3.9));
        assert!((30..=32).contains(&waits.iter().take_while(|wait| wait.is_some()).count()));
        assert_eq!(pacing.wait(0.0, 1, 300_001), Some(Duration::ZERO), "another size is free");
        assert_eq!(pacing.wait(0.0, 2, 300_000), Some(Duration::ZERO), "another bot is free");
        assert!((0..100).all(|_| pacing.wait(0.0, 1, MAX_UNPACED_BYTES) == Some(Duration::ZERO)));
    }
}
