//! How many descriptors the process may have, and how many connections of callers that allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More descriptors than these are not asked for.
const ENOUGH_DESCRIPTORS: u64 = 65_536;
/// Kept for what is no connection of a caller: requests to Telegram, broker, Redis, object store, database, files. Of few
/// descriptors a quarter, of many no more than these.
const MAX_RESERVE: u64 = 2_048;
/// One for the connection, and one for the file of an upload that comes over it.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;
/// Never more connections than these: one that was used once takes some 10 kB of memory for as long as it is kept.
const MAX_CONNECTIONS: u64 = 4_096;
/// Never fewer than these.
const MIN_CONNECTIONS: u64 = 16;

/// Raises the process's soft limit of descriptors as far as its hard limit lets it, and says how many connections fit into
/// it beside everything else.
pub fn connection_limit() -> usize {
    usize::try_from(connections_within(raised_limit())).unwrap_or(usize::MAX)
}

/// The limit of descriptors, raised if that is possible.
fn raised_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH_DESCRIPTORS).min(ENOUGH_DESCRIPTORS);
    match current {
        Some(current) if current < wanted => {
            match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
                Ok(()) => wanted,
                Err(error) => {
                    tracing::warn!(%error, current, wanted, "the limit of descriptors cannot be raised");
                    current
                }
            }
        }
        Some(current) => current,
        None => ENOUGH_DESCRIPTORS,
    }
}

fn connections_within(descriptors: u64) -> u64 {
    let reserve = (descriptors / 4).min(MAX_RESERVE);
    ((descriptors - reserve) / DESCRIPTORS_PER_CONNECTION).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve_and_room_for_their_uploads() {
        for (descriptors, connections) in [(20, 16), (256, 96), (1024, 384), (4096, 1536), (1 << 20, 4096)] {
            assert_eq!(connections_within(descriptors), connections, "{descriptors}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let raised = raised_limit();
        assert_eq!(raised, maximum.unwrap_or(ENOUGH_DESCRIPTORS).min(ENOUGH_DESCRIPTORS).max(raised));
        assert!(getrlimit(Resource::Nofile).current.is_none_or(|current| current >= raised));
    }
}
