//! How full a courier's window is, and what of it one chat may hold.

use crate::domain::Lane;
use std::time::Duration;

/// How much memory the notifications of a lane may take that a courier holds, in bytes, as a rough measure. What would be
/// more goes back to the queue.
const MAX_BYTES_PER_LANE: usize = 16 * 1024 * 1024;

/// How much of a lane one chat may hold, and what is free in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub messages: u64,
    pub bytes: usize,
    pub free_bytes: usize,
    /// How often a chat gets a turn at most, as far as the bot's own rate allows; a cautious estimate.
    turn_interval: Duration,
    /// How long the bot needs for all that is known of the lane, and for what of it is held.
    all_sent_in: Duration,
    held_sent_in: Duration,
}

impl Share {
    /// How long the turns of other chats take until one has had so many: never longer than all that is known of them.
    pub fn turns_of_others(&self, turns: u64) -> Duration {
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        self.turn_interval.saturating_mul(turns).min(self.all_sent_in)
    }

    /// When there may be room again for what does not fit into the bytes.
    pub fn room_in(&self) -> Duration {
        self.held_sent_in / 2
    }
}

/// What the chats have to send in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LaneDemand {
    /// How many chats have something to send, here or in the queue.
    pub chats: usize,
    /// How many notifications have gone back to the queue.
    pub deferred: u64,
}

/// What a courier holds, by lane: whether it waits or is in flight.
#[derive(Debug)]
pub(super) struct LaneLoad {
    window: u64,
    messages: [u64; 3],
    bytes: [usize; 3],
}

impl LaneLoad {
    pub fn new(window: u16) -> Self {
        Self { window: window.into(), messages: [0; 3], bytes: [0; 3] }
    }

    /// The chats that have something to send share half of the window evenly, and the rest stays for chats that have
    /// nothing here yet: however many are busy, one that is not finds room.
    pub fn share(&self, lane: Lane, demand: LaneDemand, bot_interval: Duration) -> Share {
        let free_bytes = MAX_BYTES_PER_LANE.saturating_sub(self.bytes[lane as usize]);
        let messages = self.window / 2 / (demand.chats as u64).max(1);
        let time_for = |messages: u64| bot_interval.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX));
        let held = self.messages[lane as usize];
        Share {
            messages: messages.max(1),
            bytes: free_bytes / 2,
            free_bytes,
            // Not every chat that is active uses each of its turns: half of a round, so that none comes back too late.
            turn_interval: time_for(demand.chats as u64 / 2),
            all_sent_in: time_for(held + demand.deferred),
            held_sent_in: time_for(held),
        }
    }

    /// Whether so much is held that the chats must be brought down to their shares, which shrink as more become busy.
    pub fn is_crowded(&self, lane: Lane) -> bool {
        self.messages[lane as usize] > self.window - self.window / 4
    }

    pub fn add(&mut self, lane: Lane, bytes: usize) {
        self.messages[lane as usize] += 1;
        self.bytes[lane as usize] += bytes;
    }

    pub fn remove(&mut self, lane: Lane, bytes: usize) {
        let lane = lane as usize;
        self.messages[lane] = self.messages[lane].saturating_sub(1);
        self.bytes[lane] = self.bytes[lane].saturating_sub(bytes);
    }

    pub fn clear(&mut self) {
        (self.messages, self.bytes) = Default::default();
    }
}
