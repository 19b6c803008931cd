//! What has left lately, for the next owner of the bot.

use crate::delivery::mono_time::MonoTime;
use crate::domain::ChatId;
use crate::ports::Departure;
use std::collections::VecDeque;
use std::time::Duration;

/// For how long a departure counts: a private chat has paid off an album of ten by then.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// How many are kept at most: the last second of the fastest bot, a thousand (paid broadcasts), and as many again.
const MAX_KEPT: usize = 2_000;

/// The departures of the last seconds, oldest first.
#[derive(Debug, Default)]
pub(super) struct RecentDepartures(VecDeque<(MonoTime, ChatId, u32)>);

impl RecentDepartures {
    pub fn record(&mut self, at: MonoTime, chat: &ChatId, messages: u32) {
        while self.0.len() >= MAX_KEPT || self.0.front().is_some_and(|(first, ..)| *first + KEPT_FOR < at) {
            self.0.pop_front();
        }
        self.0.push_back((at, chat.clone(), messages));
    }

    pub fn at(&self, now: MonoTime) -> Vec<Departure> {
        let recent = self.0.iter().filter(|(at, ..)| *at + KEPT_FOR >= now);
        recent
            .map(|(at, chat, messages)| Departure {
                age_ms: u64::try_from((now - *at).as_millis()).unwrap_or(u64::MAX),
                chat: chat.clone(),
                messages: *messages,
            })
            .collect()
    }
}
