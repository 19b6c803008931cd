//! The chats of a lane that may send now.

use crate::domain::ChatId;
use std::collections::VecDeque;

/// So many chats in a row that had nothing to send before go ahead of those that had; then one of these has its turn.
const MAX_FRESH_IN_A_ROW: u32 = 3;

/// Two lists, first come first served each: chats that had nothing to send go first, so that one message does not wait for a
/// turn of everybody who has hundreds (the new and the old flows of fair queueing with CoDel, RFC 8290).
#[derive(Debug, Default)]
pub(super) struct ReadyLane {
    fresh: VecDeque<(ChatId, u64)>,
    known: VecDeque<(ChatId, u64)>,
    fresh_in_a_row: u32,
}

impl ReadyLane {
    /// Adds a chat at the end of its list, under a stamp.
    pub fn push(&mut self, name: ChatId, stamp: u64, is_fresh: bool) {
        let list = if is_fresh { &mut self.fresh } else { &mut self.known };
        list.push_back((name, stamp));
    }

    /// Forgets the first entries for as long as they do not count any more.
    pub fn drop_outdated(&mut self, counts: impl Fn(&(ChatId, u64)) -> bool) {
        for list in [&mut self.fresh, &mut self.known] {
            while list.front().is_some_and(|entry| !counts(entry)) {
                list.pop_front();
            }
        }
    }

    /// Forgets all entries that do not count any more.
    pub fn retain(&mut self, counts: impl Fn(&(ChatId, u64)) -> bool) {
        self.fresh.retain(&counts);
        self.known.retain(&counts);
    }

    /// How many go before one more that has had nothing to send, or has.
    pub fn count_before(&self, is_fresh: bool, counts: impl Fn(&(ChatId, u64)) -> bool) -> usize {
        let fresh = self.fresh.iter().filter(|entry| counts(entry)).count();
        let known = self.known.iter().filter(|entry| counts(entry)).count();
        fresh + if is_fresh { known.min(fresh / MAX_FRESH_IN_A_ROW as usize) } else { known }
    }

    /// Takes the first chat out.
    pub fn pop(&mut self) -> Option<ChatId> {
        let is_known_due = self.fresh_in_a_row >= MAX_FRESH_IN_A_ROW && !self.known.is_empty();
        let (name, _) = match is_known_due || self.fresh.is_empty() {
            true => {
                self.fresh_in_a_row = 0;
                self.known.pop_front()?
            }
            false => {
                self.fresh_in_a_row += 1;
                self.fresh.pop_front()?
            }
        };
        Some(name)
    }

    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.known.is_empty()
    }

    /// How many entries there are, those that do not count included.
    pub fn len(&self) -> usize {
        self.fresh.len() + self.known.len()
    }
}
