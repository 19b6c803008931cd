//! How much may be under way to the broker at once, in number and in bytes, and for whom.

use crate::domain::BotName;
use lapin::types::ShortString;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A publish weighs one for every so many bytes of its body, or part of them.
const BYTES_PER_WEIGHT: usize = 16 * 1024;

/// How much may be under way on a session, by weight: 1,024 publishes, or 16 MiB of large ones.
const MAX_WEIGHT: u32 = 1_024;

/// How much of it for one bot and one use, so that a courier that moves thousands, or a caller who is refused nothing, holds
/// back nobody else. What weighs more goes when nothing else of its use is under way.
const MAX_WEIGHT_PER_USE: u32 = 128;

/// How many publishes may be in flight on the channel of a queue. From 200 to 400 on that the queue does not confirm, RabbitMQ
/// reads nothing more from the whole connection (credit_flow_default_credit).
const MAX_IN_FLIGHT_PER_QUEUE: usize = 128;

/// How many publishes may be in flight one by one, each on a channel of its own.
const MAX_SINGLE: usize = 32;

/// How many shares are kept by name, before those that nobody uses are dropped.
const MAX_IDLE_SHARES: usize = 4_096;

/// For what is published.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum PublishUse {
    /// To store a notification that a caller waits for.
    Accept(BotName),
    /// The same, by the detour of the node.
    Detour(BotName),
    /// To move a notification from one queue to another.
    Move(BotName),
    /// For what is seldom or small.
    Other,
}

/// Which publishes share a channel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum ChannelGroup {
    /// Those to one queue.
    Queue(ShortString),
    /// None; what is published one by one.
    Single,
}

impl ChannelGroup {
    /// How many of its publishes may be in flight.
    pub(super) fn max_in_flight(&self) -> usize {
        match self {
            Self::Queue(_) => MAX_IN_FLIGHT_PER_QUEUE,
            Self::Single => MAX_SINGLE,
        }
    }

    /// How many of them on one channel.
    pub(super) fn max_in_flight_per_channel(&self) -> usize {
        match self {
            Self::Queue(_) => MAX_IN_FLIGHT_PER_QUEUE,
            Self::Single => 1,
        }
    }
}

/// Of one session.
pub(super) struct InFlight {
    all: Arc<Semaphore>,
    by_use: Shares<PublishUse>,
    by_group: Shares<ChannelGroup>,
}

/// Given back when dropped.
pub(super) struct InFlightPermit {
    _permits: [OwnedSemaphorePermit; 3],
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_WEIGHT as usize)), by_use: Shares::new(), by_group: Shares::new() }
    }

    /// Waits until a publish of so many bytes may be under way.
    pub(super) async fn permit(&self, publish_use: PublishUse, group: &ChannelGroup, bytes: usize) -> InFlightPermit {
        let weight = weight(bytes);
        let of_use = acquire(self.by_use.of(publish_use, MAX_WEIGHT_PER_USE as usize), weight).await;
        // Before what all share: who waits for its queue holds nothing of that.
        let of_group = acquire(self.by_group.of(group.clone(), group.max_in_flight()), 1).await;
        let of_all = acquire(self.all.clone(), weight).await;
        InFlightPermit { _permits: [of_use, of_group, of_all] }
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_WEIGHT)).unwrap_or(u32::MAX).clamp(1, MAX_WEIGHT_PER_USE)
}

async fn acquire(permits: Arc<Semaphore>, weight: u32) -> OwnedSemaphorePermit {
    permits.acquire_many_owned(weight).await.expect("never closed")
}

/// A bounded share each.
struct Shares<K>(Mutex<HashMap<K, Arc<Semaphore>>>);

impl<K: Eq + Hash> Shares<K> {
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn of(&self, key: K, size: usize) -> Arc<Semaphore> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() > MAX_IDLE_SHARES {
            // Who uses one, or waits for it, has it.
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        shares.entry(key).or_insert_with(|| Arc::new(Semaphore::new(size))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn one_use_takes_its_share_in_number_and_in_bytes_and_leaves_the_rest() {
        let in_flight = InFlight::new();
        let (bot, other): (BotName, BotName) = ("one".parse().unwrap(), "other".parse().unwrap());
        let permit = |bot: &BotName, queue: &str, bytes| {
            let group = ChannelGroup::Queue(queue.into());
            in_flight.permit(PublishUse::Move(bot.clone()), &group, bytes).now_or_never()
        };
        let small: Vec<_> = (0..128).map(|_| permit(&bot, "a", 300).expect("within its share")).collect();
        assert!(permit(&bot, "b", 300).is_none(), "the share in number");
        assert!(permit(&other, "a", 300).is_none(), "the channel of the queue is full");
        assert!(permit(&other, "b", 300).is_some());
        drop(small);
        let huge = permit(&bot, "a", 1 << 40).expect("alone, whatever it weighs");
        assert!(permit(&bot, "a", 300).is_none() && permit(&other, "b", 300).is_some());
        drop(huge);
        let large: Vec<_> = (0..8).map(|_| permit(&bot, "a", 256 * 1024).expect("2 MiB")).collect();
        assert!(permit(&bot, "a", 1).is_none(), "the share in bytes");
        drop(large);
    }
}
