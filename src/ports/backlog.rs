//! How much a bot has to send, and which of its chats hold it.

use crate::domain::{ChatId, Lane, NotificationId, Status, Timestamp};
use std::collections::HashMap;

/// How many notifications are still to be sent, by status ([`Status::OPEN`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenCounts([u64; Status::OPEN.len()]);

impl OpenCounts {
    /// Those in this status; none if it is final.
    pub fn get(&self, status: Status) -> u64 {
        Status::OPEN.iter().position(|open| *open == status).map_or(0, |place| self.0[place])
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Notes how many there are in an open status.
    pub fn set(&mut self, status: Status, count: u64) {
        if let Some(place) = Status::OPEN.iter().position(|open| *open == status) {
            self.0[place] = count;
        }
    }
}

/// How many notifications of a bot are still to be sent, by lane and status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenByLane([OpenCounts; Lane::ALL.len()]);

impl OpenByLane {
    /// Those of a lane.
    pub fn lane(&self, lane: Lane) -> OpenCounts {
        self.0[lane as usize]
    }

    /// Notes how many of a lane there are in an open status.
    pub fn set(&mut self, lane: Lane, status: Status, count: u64) {
        self.0[lane as usize].set(status, count);
    }

    /// Those of all lanes.
    pub fn all_lanes(&self) -> OpenCounts {
        let mut all = OpenCounts::default();
        for status in Status::OPEN {
            all.set(status, self.0.iter().map(|of_lane| of_lane.get(status)).sum());
        }
        all
    }
}

/// The chats of a bot with the most that is still to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeepestChats {
    /// The chats, the deepest first.
    pub chats: Vec<ChatBacklog>,
    /// How many of the bot are still to be sent.
    pub open: u64,
    /// How many of them were looked at. If these are fewer, what is said of a chat is estimated from them, an even sample: how many,
    /// and which is the oldest.
    pub looked_at: u64,
}

/// What is still to be sent to a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatBacklog {
    /// The chat.
    pub chat: ChatId,
    /// How many, by status.
    pub open: OpenCounts,
    /// When the oldest was taken in first, by the time in its id.
    pub oldest_at: Timestamp,
    /// Until when Telegram has asked the chat to wait, if it has.
    pub flood_wait_until: Option<Timestamp>,
}

/// Of how many a ledger looks at the records at the most, to find the deepest chats: it takes a fraction of a second.
pub const MAX_TALLIED: u64 = 100_000;

/// Counts what was looked at by chat.
#[derive(Debug, Default)]
pub struct BacklogTally {
    chats: HashMap<ChatId, ChatTally>,
    /// How many there are, and how many were looked at.
    open: OpenCounts,
    looked_at: OpenCounts,
}

#[derive(Debug)]
struct ChatTally {
    found: OpenCounts,
    oldest: NotificationId,
}

impl BacklogTally {
    /// For a bot with so many open notifications.
    pub fn new(open: OpenCounts) -> Self {
        Self { open, ..Self::default() }
    }

    /// Counts some of a chat and a status.
    pub fn add(&mut self, chat: ChatId, status: Status, count: u64, oldest: NotificationId) {
        let tally = self.chats.entry(chat).or_insert(ChatTally { found: OpenCounts::default(), oldest });
        tally.oldest = tally.oldest.min(oldest);
        for counts in [&mut tally.found, &mut self.looked_at] {
            counts.set(status, counts.get(status) + count);
        }
    }

    /// The deepest chats. Their flood waits are not known here.
    pub fn deepest(self, limit: usize) -> DeepestChats {
        let Self { chats, open, looked_at } = self;
        let estimated = |found: OpenCounts| {
            let mut estimate = OpenCounts::default();
            for status in Status::OPEN {
                // What was accepted since they were counted makes no estimate of what was looked at in full.
                let (of, all) = (looked_at.get(status).max(1), open.get(status).max(looked_at.get(status)));
                let count = u128::from(found.get(status)) * u128::from(all) / u128::from(of);
                let is_whole = looked_at.total() >= open.total();
                estimate
                    .set(status, if is_whole { found.get(status) } else { u64::try_from(count).unwrap_or(u64::MAX) });
            }
            estimate
        };
        let backlog = |(chat, tally): (ChatId, ChatTally)| {
            let (open, oldest_at) = (estimated(tally.found), tally.oldest.made_at());
            ChatBacklog { chat, open, oldest_at, flood_wait_until: None }
        };
        let mut chats: Vec<_> = chats.into_iter().map(backlog).collect();
        chats.sort_unstable_by(|one, other| {
            (other.open.total(), &one.oldest_at, &one.chat).cmp(&(one.open.total(), &other.oldest_at, &other.chat))
        });
        chats.truncate(limit);
        DeepestChats { chats, open: open.total().max(looked_at.total()), looked_at: looked_at.total() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(second: u64) -> NotificationId {
        NotificationId::first_of(Timestamp::from_unix_millis(second.cast_signed() * 1_000))
    }

    fn open(queued: u64, scheduled: u64) -> OpenCounts {
        let mut counts = OpenCounts::default();
        counts.set(Status::Queued, queued);
        counts.set(Status::Scheduled, scheduled);
        counts
    }

    #[test]
    fn the_deepest_come_first_with_their_oldest() {
        let mut tally = BacklogTally::new(open(6, 1));
        tally.add(ChatId::Id(1), Status::Queued, 2, id(5));
        tally.add(ChatId::Id(2), Status::Queued, 3, id(9));
        tally.add(ChatId::Id(2), Status::Scheduled, 1, id(7));
        tally.add(ChatId::Id(3), Status::Queued, 1, id(1));
        let deepest = tally.deepest(2);
        let found: Vec<_> =
            deepest.chats.iter().map(|it| (it.chat.clone(), it.open, it.oldest_at.unix_millis())).collect();
        assert_eq!(found, [(ChatId::Id(2), open(3, 1), 7_000), (ChatId::Id(1), open(2, 0), 5_000)]);
        assert_eq!((deepest.open, deepest.looked_at), (7, 7));
    }

    #[test]
    fn what_was_not_looked_at_is_estimated_status_by_status() {
        let mut tally = BacklogTally::new(open(1_000, 10));
        tally.add(ChatId::Id(1), Status::Queued, 75, id(5));
        tally.add(ChatId::Id(2), Status::Queued, 25, id(9));
        tally.add(ChatId::Id(2), Status::Scheduled, 10, id(7));
        let deepest = tally.deepest(9);
        let found: Vec<_> = deepest.chats.iter().map(|it| it.open).collect();
        assert_eq!(found, [open(750, 0), open(250, 10)]);
        assert_eq!((deepest.open, deepest.looked_at), (1_010, 110));
    }
}
