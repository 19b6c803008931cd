//! How fast one chat may be written to, and its flood waits.

use super::gcra::Gcra;
use super::sliding_window::SlidingWindow;
use crate::delivery::mono_time::MonoTime;
use crate::domain::ChatId;
use crate::settings::RateLimits;
use std::time::Duration;

/// How many messages at once a private chat tolerates (Bots FAQ: "short bursts" over the limit are allowed).
const PRIVATE_BURST: u32 = 3;
/// How much later than another a message to a private chat may arrive, for all that lies between its permit and Telegram.
const PRIVATE_MARGIN: Duration = Duration::from_millis(100);
/// Added to the minute over which a group's messages are counted.
const GROUP_MARGIN: Duration = Duration::from_millis(250);
/// The least time between two messages to a chat, for estimates where no limit is configured: what a quick answer takes.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

/// The rate limits of one chat.
#[derive(Debug)]
pub struct ChatRateLimiter {
    rate: Gcra,
    /// Of a group only.
    minute: Option<SlidingWindow>,
    frozen_until: MonoTime,
}

impl ChatRateLimiter {
    /// With the limits for a private chat, or for a group or channel.
    pub fn new(chat: &ChatId, limits: &RateLimits) -> Self {
        let group = chat.is_group();
        let minute = SlidingWindow::new(limits.group_rate_per_minute, Duration::from_secs(60), GROUP_MARGIN);
        Self {
            rate: match group {
                true => Gcra::strict(limits.chat_rate),
                false => Gcra::bursty(limits.chat_rate, PRIVATE_BURST).with_margin(PRIVATE_MARGIN),
            },
            minute: (group && limits.group_rate_per_minute > 0).then_some(minute),
            frozen_until: MonoTime::default(),
        }
    }

    /// When a send that makes so many messages may start.
    pub fn ready_at(&self, now: MonoTime, cost: u32) -> MonoTime {
        let minute = self.minute.as_ref().map_or(now, |minute| minute.ready_at(cost));
        self.rate.ready_at().max(minute).max(self.frozen_until)
    }

    /// The average time between two messages.
    pub fn interval(&self) -> Duration {
        let minute = self.minute.as_ref().map_or(Duration::ZERO, SlidingWindow::interval);
        self.rate.interval().max(minute).max(MIN_INTERVAL)
    }

    /// Takes tokens for a send that starts.
    pub fn take(&mut self, now: MonoTime, cost: u32) {
        self.rate.take(now, cost, 1.0);
        if let Some(minute) = &mut self.minute {
            minute.take(now, cost);
        }
    }

    /// Records that the answer to a send came.
    pub fn record_answer(&mut self, now: MonoTime, cost: u32) {
        if let Some(minute) = &mut self.minute {
            minute.record_answer(now, cost);
        }
    }

    /// Gives tokens back of a send that never left.
    pub fn give_back(&mut self, cost: u32) {
        self.rate.give_back(cost);
        if let Some(minute) = &mut self.minute {
            minute.give_back(cost);
        }
    }

    /// Obeys a flood wait: nothing is sent before it is over.
    pub fn freeze(&mut self, until: MonoTime) {
        self.frozen_until = self.frozen_until.max(until);
    }

    /// Until when flood waits keep the chat from being written to; in the past if none does.
    pub fn frozen_until(&self) -> MonoTime {
        self.frozen_until
    }

    /// Whether a new one would behave the same.
    pub fn is_idle(&self, now: MonoTime) -> bool {
        let minute_idle = self.minute.as_ref().is_none_or(|minute| minute.is_idle(now));
        self.rate.is_idle(now) && minute_idle && self.frozen_until <= now
    }
}
