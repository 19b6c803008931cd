//! Pictures damaged at random, as many as there is time for.

use super::{check, photos};
use crate::imaging::ImageRejection;
use std::time::{Duration, Instant};

/// How long one picture may take, unoptimized: a changed header may well claim 25 million pixels, and be believed until the
/// data ends.
const MAX_TIME: Duration = Duration::from_secs(5);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// A picture with a few bytes changed, or with pieces doubled, moved, or put in from another.
fn damaged(random: &mut fastrand::Rng, picture: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = picture.to_vec();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(..bytes.len());
        let piece = at..(at + random.usize(..64)).min(bytes.len());
        match random.u8(..8) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at] ^= 1 << random.u8(..8),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, random.u8(..)),
            // Lengths and sizes at their ends.
            4 => bytes[piece].iter_mut().take(4).for_each(|byte| *byte = if at.is_multiple_of(2) { 0xFF } else { 0 }),
            5 => {
                let copy = bytes[piece].repeat(random.usize(1..20));
                bytes.splice(at..at, copy);
            }
            6 => {
                let from = random.usize(..other.len());
                bytes.splice(at..at, other[from..(from + piece.len()).min(other.len())].to_vec());
            }
            _ => bytes.truncate(at + 1),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// `PIXCOURIER_FUZZ_SEED` and `PIXCOURIER_FUZZ_SECONDS` choose which damage and how much.
#[test]
fn damage_at_random_neither_panics_nor_hangs() {
    let seed = number("PIXCOURIER_FUZZ_SEED", 1);
    let time = Duration::from_secs(number("PIXCOURIER_FUZZ_SECONDS", 3));
    let (pictures, begin): (Vec<_>, _) = (photos().collect(), Instant::now());
    let (mut random, mut taken, mut refused) = (fastrand::Rng::with_seed(seed), 0, 0);
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < time {
        let ((name, picture), (_, other)) =
            (&pictures[random.usize(..pictures.len())], &pictures[random.usize(..pictures.len())]);
        let state = random.get_seed();
        let bytes = damaged(&mut random, picture, other);
        let asked = Instant::now();
        match check(&bytes) {
            Ok(_) => taken += 1,
            Err(ImageRejection::File(error)) => panic!("{name}, {state}: {error}"),
            Err(_) => refused += 1,
        }
        slowest = slowest.max(asked.elapsed());
        assert!(asked.elapsed() < MAX_TIME, "{name}, {state}");
    }
    println!("of damaged images {taken} still decode, {refused} do not; the slowest took {} ms", slowest.as_millis());
    assert!(taken > 0 && refused > taken);
}
