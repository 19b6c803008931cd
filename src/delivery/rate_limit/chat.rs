//! How fast one chat may be written to, and its flood waits.

use super::gcra::Gcra;
use super::pace::Pace;
use super::sliding_window::SlidingWindow;
use crate::delivery::mono_time::MonoTime;
use crate::domain::ChatId;
use crate::settings::RateLimits;
use std::time::Duration;

/// The span over which a group's messages are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// The same where they are counted by the ledger, by the wall clock: a little more than the minute, and less than what a
/// courier keeps itself, so that it is never stopped by what it knows.
pub const GROUP_SPAN: Duration = Duration::from_millis(60_100);
/// Added to the minute over which a group's messages are counted.
const GROUP_MARGIN: Duration = Duration::from_millis(250);
/// The least time between two messages to a chat, for estimates where no limit is configured: what a quick answer takes.
const MIN_INTERVAL: Duration = Duration::from_millis(5);
/// A chat that was told to wait is slowed to half its pace, and is back at the full one after so long.
const SLOWED: f64 = 0.5;
const RECOVERY: Duration = Duration::from_secs(300);

/// The rate limits of one chat.
#[derive(Debug)]
pub struct ChatRateLimiter {
    rate: Gcra,
    /// Of a group only.
    minute: Option<SlidingWindow>,
    frozen_until: MonoTime,
    pace: Pace,
    /// The next message while the pace is slow.
    spaced_until: MonoTime,
}

impl ChatRateLimiter {
    /// With the limits for a private chat, or for a group or channel.
    pub fn new(chat: &ChatId, limits: &RateLimits) -> Self {
        let group = chat.is_group();
        let minute = SlidingWindow::new(limits.group_rate_per_minute, MINUTE, GROUP_MARGIN);
        Self {
            rate: match group {
                true => Gcra::strict(limits.chat_rate),
                false => Gcra::bursty(limits.chat_rate, limits.chat_burst),
            },
            minute: (group && limits.group_rate_per_minute > 0).then_some(minute),
            frozen_until: MonoTime::default(),
            pace: Pace::new(SLOWED, RECOVERY),
            spaced_until: MonoTime::default(),
        }
    }

    /// When a send that makes so many messages may start.
    pub fn ready_at(&self, now: MonoTime, cost: u32) -> MonoTime {
        let minute = self.minute.as_ref().map_or(now, |minute| minute.ready_at(cost));
        self.rate.ready_for(cost).max(minute).max(self.frozen_until).max(self.spaced_until)
    }

    /// The average time between two messages.
    pub fn interval(&self) -> Duration {
        let minute = self.minute.as_ref().map_or(Duration::ZERO, SlidingWindow::interval);
        self.rate.interval().max(minute).max(MIN_INTERVAL)
    }

    /// When a message will be sent that has so many before it, where the turns of other chats take so long until then.
    pub fn estimate(&self, now: MonoTime, ahead: u64, turns_of_others: Duration) -> MonoTime {
        let fits = self.minute.as_ref().is_none_or(|minute| ahead < minute.free(now) as u64);
        let interval = if fits { self.rate.interval().max(MIN_INTERVAL) } else { self.interval() };
        let own_turns = interval.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
        self.ready_at(now, 1).max(now) + own_turns.max(turns_of_others)
    }

    /// How much longer than for one message a chat must be left alone for so many at once. A group saves up no burst.
    pub fn headroom(chat: &ChatId, limits: &RateLimits, cost: u32) -> Duration {
        if chat.is_group() { Duration::ZERO } else { Gcra::bursty(limits.chat_rate, limits.chat_burst).headroom(cost) }
    }

    /// For how long nothing more may be sent once so many messages have been.
    pub fn pause_after(&self, now: MonoTime, cost: u32) -> Duration {
        self.rate.ready_after(now, cost) - now
    }

    /// Takes tokens for messages that Telegram has counted by now.
    pub fn take(&mut self, now: MonoTime, cost: u32) {
        let pace = self.pace.at(now);
        self.rate.take(now, cost, 1.0 / pace);
        if pace < 1.0 {
            self.spaced_until = now + (self.interval() * cost).div_f64(pace);
        }
        if let Some(minute) = &mut self.minute {
            minute.take(now, cost);
        }
    }

    /// Begins at a moment up to which somebody else may have sent: without a burst.
    pub fn take_over(&mut self, at: MonoTime) {
        if self.rate.interval() > Duration::ZERO {
            self.rate.restart(at);
        }
    }

    /// Slows down, since Telegram has asked for patience although the limits were kept.
    pub fn slow_down(&mut self, now: MonoTime, until: MonoTime) {
        self.pace.slow_down(now, until);
    }

    /// Whether it goes slower than configured.
    pub fn is_slowed(&self, now: MonoTime) -> bool {
        self.pace.at(now) < 1.0
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
        self.rate.is_idle(now) && minute_idle && self.frozen_until <= now && !self.is_slowed(now)
    }
}
