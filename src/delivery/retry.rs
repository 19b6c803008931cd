//! How long to wait before trying again, and how long to wait for an answer.

use std::time::Duration;

/// The first step of the back-off.
const BASE: Duration = Duration::from_secs(1);
/// The largest step.
const CAP: Duration = Duration::from_secs(60);
/// Never hotter than this.
const FLOOR: Duration = Duration::from_millis(100);

/// Exponential back-off with full jitter: anywhere between nothing and the step, so that many who failed together do
/// not come back together. `faults` counts from 1; `random` is in 0..1.
pub fn backoff(faults: u32, random: f64) -> Duration {
    let step = BASE.saturating_mul(1 << faults.clamp(1, 16).saturating_sub(1)).min(CAP);
    step.mul_f64(random.clamp(0.0, 1.0)).max(FLOOR)
}

/// How long to wait for the answer to a call without upload. The server may hold it for a hidden flood wait of 8 s and
/// 3 s more; a shorter wait turns slow answers into duplicates (Bot API server).
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// How long to wait for the answer to an upload, or to a URL that Telegram fetches first, by the bytes to upload:
/// 90 s and 10 s for each MB.
pub fn upload_timeout(bytes: u64) -> Duration {
    Duration::from_secs(90 + bytes / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_double_up_to_a_minute() {
        let steps: Vec<_> = (1..=8).map(|faults| backoff(faults, 1.0).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX, 1.0), CAP);
    }

    #[test]
    fn jitter_is_full_but_never_hot() {
        assert_eq!(backoff(4, 0.5), Duration::from_secs(4));
        assert_eq!(backoff(4, 0.0), FLOOR);
    }
}
