//! The least rate at which a body may arrive. Whoever sends a byte a second holds a connection and a file for nothing.

use std::time::Duration;

/// The least that must arrive in each span of waiting, in bytes: 1 kB a second.
const BYTES_PER_SPAN: u64 = 10_000;
const SPAN: Duration = Duration::from_secs(10);
/// How much longer the first span is: a connection takes its time to come up to speed.
const GRACE: Duration = Duration::from_secs(5);

/// What has arrived of a body, and how long it was waited for. Only waiting counts: time in which nobody was ready to take
/// the bytes is not the sender's.
pub struct BodyRate {
    left: Duration,
    bytes: u64,
}

impl BodyRate {
    /// Of a body that begins.
    pub fn new() -> Self {
        Self { left: SPAN + GRACE, bytes: 0 }
    }

    /// Of a body that has so long from the start.
    #[cfg(test)]
    pub fn with_patience(left: Duration) -> Self {
        Self { left, bytes: 0 }
    }

    /// How long the next bytes may be waited for. When that time is over the body is too slow.
    pub fn patience(&self) -> Duration {
        self.left
    }

    /// So many bytes have arrived after so long a wait; says whether the body is fast enough.
    pub fn arrived(&mut self, bytes: usize, waited: Duration) -> bool {
        self.bytes += bytes as u64;
        self.left = self.left.saturating_sub(waited);
        if self.bytes >= BYTES_PER_SPAN {
            *self = Self { left: SPAN, bytes: 0 };
        }
        !self.left.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_kilobyte_a_second_is_enough_and_less_is_not() {
        let mut rate = BodyRate::new();
        assert!((0..600).all(|_| rate.arrived(1_100, SECOND)));
        let seconds = (1..).find(|_| !rate.arrived(900, SECOND));
        assert!(seconds.is_some_and(|seconds| seconds <= 20), "{seconds:?}");
    }

    #[test]
    fn a_byte_a_second_is_cut_off_after_fifteen_and_haste_is_not_held_against_anybody() {
        let mut rate = BodyRate::new();
        assert_eq!((1..).find(|_| !rate.arrived(1, SECOND)), Some(15));
        let mut rate = BodyRate::new();
        assert!((0..100_000).all(|_| rate.arrived(1, Duration::from_micros(1))));
        assert_eq!(rate.patience(), SPAN);
    }
}
