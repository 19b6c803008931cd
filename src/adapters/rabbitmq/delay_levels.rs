//! Delay levels: how a message waits at the broker until it is due, without a plugin.
//!
//! Per level there is a delay queue, whose message TTL is the level's delay and whose dead-letter exchange leads back to
//! the bot. All in one queue wait equally long, so nobody blocks its head and nobody is late. A message is published to
//! the longest level that fits into the time it still has to wait; each time it comes back, it goes on to the longest
//! that fits then. Less than the shortest level is waited out in memory.
//!
//! The levels lie so close that one hop brings a message near its time: below 1,024 s there are eight in each octave; then
//! one every 512 s up to 16,384 s, so that a chat many thousands deep comes back in steps that a courier can hold; then
//! sixteen in each octave up to 262,144 s; then one every 262,144 s up to thirty-one days. A queue that nobody uses does
//! not exist: it is declared when it is needed first.

use std::time::Duration;

/// The longest delay, in seconds: ten times 262,144 s, the last multiple within thirty-one days.
pub(super) const LONGEST_SECONDS: u64 = 10 * COARSE_STEP_SECONDS;

const SHORT_BELOW_SECONDS: u64 = 1_024;
const SHORT_STEPS_PER_OCTAVE: u64 = 8;
const EVEN_STEP_SECONDS: u64 = 512;
const EVEN_UP_TO_SECONDS: u64 = 16_384;
const LONG_STEPS_PER_OCTAVE: u64 = 16;
const COARSE_STEP_SECONDS: u64 = 262_144;

/// The longest delay, in seconds, that ends within the given time; `None` if all are longer.
pub(super) fn longest_within(remaining: Duration) -> Option<u64> {
    let seconds = remaining.as_secs().min(LONGEST_SECONDS);
    Some(seconds - seconds % step(seconds)?)
}

/// Every level there is, in seconds.
pub(super) fn all() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(1), |level| Some(level + step(*level)?)).take_while(|level| *level <= LONGEST_SECONDS)
}

/// How far apart levels lie where this many seconds are.
fn step(seconds: u64) -> Option<u64> {
    let octave = 1 << seconds.checked_ilog2()?;
    Some(if octave < SHORT_BELOW_SECONDS {
        (octave / SHORT_STEPS_PER_OCTAVE).max(1)
    } else if octave < EVEN_UP_TO_SECONDS {
        EVEN_STEP_SECONDS
    } else if octave < COARSE_STEP_SECONDS {
        octave / LONG_STEPS_PER_OCTAVE
    } else {
        COARSE_STEP_SECONDS
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every level there is.
    fn levels() -> BTreeSet<u64> {
        (1..=LONGEST_SECONDS).filter_map(|seconds| longest_within(Duration::from_secs(seconds))).collect()
    }

    #[test]
    fn every_level_is_known() {
        assert_eq!(all().collect::<BTreeSet<_>>(), levels());
    }

    #[test]
    fn the_longest_level_that_fits_is_taken() {
        let longest = |millis| longest_within(Duration::from_millis(millis));
        assert_eq!((longest(0), longest(999), longest(1_000)), (None, None, Some(1)));
        assert_eq!((longest(15_999), longest(19_000), longest(1_023_999)), (Some(15), Some(18), Some(960)));
        assert_eq!((longest(5_000_000), longest(20_000_000)), (Some(4_608), Some(19_456)));
        assert_eq!(longest(30 * 86_400_000), Some(9 * COARSE_STEP_SECONDS));
        assert_eq!(longest_within(Duration::MAX), Some(LONGEST_SECONDS));
    }

    #[test]
    fn the_levels_are_few_and_each_fits_itself() {
        let levels = levels();
        let short: Vec<u64> = levels.range(..64).copied().collect();
        let from_16 = [16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48, 52, 56, 60];
        assert_eq!(short, Vec::from_iter((1..16).chain(from_16)));
        assert!(levels.range(1_024..=EVEN_UP_TO_SECONDS).eq(&Vec::from_iter((2..=32).map(|n| n * EVEN_STEP_SECONDS))));
        assert_eq!(levels.len(), 167);
        assert!(levels.iter().all(|level| longest_within(Duration::from_secs(*level)) == Some(*level)));
    }

    #[test]
    fn a_hop_or_two_bring_a_message_near_its_time() {
        let hops = |mut remaining: u64, until_within: u64| {
            let mut hops = 0;
            while let Some(level) = longest_within(Duration::from_secs(remaining)).filter(|_| remaining >= until_within)
            {
                remaining -= level;
                hops += 1;
            }
            hops
        };
        assert!((1..COARSE_STEP_SECONDS).all(|seconds| hops(seconds, 512) <= 2), "until a courier can hold it");
        assert!((1..1_024).all(|seconds| hops(seconds, 16) <= 2), "of a bot so fast that it can hold few seconds");
        let worst = (1..=30 * 86_400).step_by(7).map(|seconds| hops(seconds, 4)).max();
        assert_eq!(worst, Some(5), "to the second, from thirty days ahead");
    }
}
