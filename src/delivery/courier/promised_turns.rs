//! When callers who are refused are told to come back: one behind the other, as fast as their chat takes messages, so that
//! they do not all come back at once only to be refused again.

use crate::domain::{ChatId, Timestamp};
use crate::settings::RateLimits;
use std::collections::HashMap;
use std::time::Duration;

/// How far behind the estimate of its turn a caller may be told to come: those who were promised the turns before may never
/// come.
const MAX_SPREAD: Duration = Duration::from_secs(120);
/// How many chats are remembered before those are forgotten whose turns have passed.
const MAX_REMEMBERED: usize = 1024;

/// The last turn that was promised to somebody, by chat.
pub struct PromisedTurns {
    limits: RateLimits,
    last: HashMap<ChatId, Timestamp>,
}

impl PromisedTurns {
    /// For a bot with these limits.
    pub fn new(limits: RateLimits) -> Self {
        Self { limits, last: HashMap::new() }
    }

    /// The turn of the next caller of a chat who is refused, given when it would be by the notifications that wait.
    pub fn promise(&mut self, now: Timestamp, chat: &ChatId, turn: Timestamp) -> Timestamp {
        if self.last.len() >= MAX_REMEMBERED {
            self.last.retain(|_, last| *last > now);
        }
        let behind = self.last.get(chat).map(|last| last.plus(self.interval(chat)));
        let own = behind.map_or(turn, |behind| behind.min(turn.plus(MAX_SPREAD)).max(turn));
        if self.last.len() < MAX_REMEMBERED || self.last.contains_key(chat) {
            self.last.insert(chat.clone(), own);
        }
        own
    }

    /// How long a chat's messages are apart.
    fn interval(&self, chat: &ChatId) -> Duration {
        let apart = |rate: f64| if rate > 0.0 { 1.0 / rate } else { 0.0 };
        let group = if chat.is_group() { apart(f64::from(self.limits.group_rate_per_minute) / 60.0) } else { 0.0 };
        let seconds = apart(self.limits.bot_rate).max(apart(self.limits.chat_rate)).max(group);
        Duration::try_from_secs_f64(seconds).unwrap_or(MAX_SPREAD).min(MAX_SPREAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_refused_come_back_one_behind_the_other() {
        let now = Timestamp::now();
        let after = |seconds: u64| now.plus(Duration::from_secs(seconds));
        let mut turns = PromisedTurns::new(RateLimits::default());
        let (private, group) = (ChatId::Id(7), ChatId::Id(-7));
        assert_eq!([51, 51, 52].map(|turn| turns.promise(now, &private, after(turn))), [51, 52, 53].map(after));
        assert_eq!([60, 60].map(|turn| turns.promise(now, &group, after(turn))), [60, 63].map(after));
        assert_eq!(turns.promise(now, &private, after(99)), after(99), "later than anything promised");
        for _ in 0..500 {
            turns.promise(now, &private, after(51));
        }
        assert_eq!(turns.promise(now, &private, after(51)), after(51 + 120), "those before may never come");
        for id in 1..5000 {
            turns.promise(now, &ChatId::Id(id), after(5));
        }
        assert!(turns.last.len() <= MAX_REMEMBERED);
    }
}
