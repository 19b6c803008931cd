//! Delay levels: how a message waits at the broker until it is due, without a plugin.
//!
//! Per level there is a delay queue, whose message TTL is the level's delay and whose dead-letter exchange leads back to
//! the lanes. A message is published to the longest level that fits into the time it still has to wait; each time it
//! comes back, it goes on to the longest that fits then. Less than the shortest level is waited out in memory.

use std::time::Duration;

/// The delays, in seconds. Thirty days take some thirty hops, an hour ten.
pub(super) const DELAYS_SECONDS: [u64; 10] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144];

/// The longest delay, in seconds, that ends within the given time; `None` if all are longer.
pub(super) fn longest_within(remaining: Duration) -> Option<u64> {
    DELAYS_SECONDS.into_iter().rev().find(|seconds| Duration::from_secs(*seconds) <= remaining)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_level_that_fits_is_taken() {
        assert_eq!(longest_within(Duration::from_millis(999)), None);
        assert_eq!(longest_within(Duration::from_millis(1_000)), Some(1));
        assert_eq!(longest_within(Duration::from_millis(15_999)), Some(4));
        assert_eq!(longest_within(Duration::from_secs(30 * 86_400)), Some(262_144));
    }

    #[test]
    fn thirty_days_take_few_hops() {
        let mut remaining = Duration::from_secs(30 * 86_400) - Duration::from_millis(1);
        let mut hops = 0;
        while let Some(seconds) = longest_within(remaining) {
            remaining -= Duration::from_secs(seconds);
            hops += 1;
        }
        assert!(hops <= 36, "{hops}");
    }
}
