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
    pub turn_interval: Duration,
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
    pub fn share(&self, lane: Lane, active_chats: usize, bot_interval: Duration) -> Share {
        let free_bytes = MAX_BYTES_PER_LANE.saturating_sub(self.bytes[lane as usize]);
        let messages = self.window / 2 / (active_chats as u64).max(1);
        // Not every chat that is active uses each of its turns: half of a round, so that none comes back too late.
        let turn_interval = bot_interval * u32::try_from(active_chats / 2).unwrap_or(u32::MAX);
        Share { messages: messages.max(1), bytes: free_bytes / 2, free_bytes, turn_interval }
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
