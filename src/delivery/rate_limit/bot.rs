//! How fast the bot as a whole is dispatched, and what flood waits make of it. That no more leave in any one second than
//! may is kept where they leave ([`DepartureGate`](crate::delivery::attempt::DepartureGate)).

use super::gcra::Gcra;
use super::pace::Pace;
use crate::delivery::mono_time::MonoTime;
use crate::domain::ChatId;
use std::time::Duration;

/// The second over which Telegram counts a bot's messages, and a margin for its clock, which costs 1 % of the rate. What takes
/// longer on its way than what left after it is seen by its answer. Also how long nobody may have sent for a new owner to begin.
pub const BOT_SPAN: Duration = Duration::from_millis(1_010);
/// Flood waits of two chats within this mean that the bot is too fast, not the chats.
const FLOODS_TOGETHER_WITHIN: Duration = Duration::from_secs(5);
/// After a freeze of the bot it starts at a quarter of its pace; the whole of it is regained within this.
const SLOWED: f64 = 0.25;
const RECOVERY: Duration = Duration::from_secs(40);

/// The rate limits of one bot over all its chats.
#[derive(Debug)]
pub struct BotRateLimiter {
    rate: Gcra,
    frozen_until: MonoTime,
    pace: Pace,
    last_flood: Option<ChatFlood>,
}

#[derive(Debug)]
struct ChatFlood {
    at: MonoTime,
    chat: ChatId,
    until: MonoTime,
}

impl BotRateLimiter {
    /// So many messages a second; 0 for no limit.
    pub fn new(rate: f64) -> Self {
        Self {
            rate: Gcra::bursty(rate / BOT_SPAN.as_secs_f64(), (rate / 2.0) as u32),
            frozen_until: MonoTime::default(),
            pace: Pace::new(SLOWED, RECOVERY),
            last_flood: None,
        }
    }

    /// When the next send may start.
    pub fn ready_at(&self) -> MonoTime {
        self.rate.ready_at().max(self.frozen_until)
    }

    /// The time that one message takes at full rate.
    pub fn interval(&self) -> Duration {
        self.rate.interval()
    }

    /// Begins at a moment up to which somebody else may have sent: nothing is sent before it, and no burst is saved up.
    /// Without a limit there is nothing to keep.
    pub fn take_over(&mut self, at: MonoTime) {
        if self.rate.interval() > Duration::ZERO {
            self.frozen_until = self.frozen_until.max(at);
            self.rate.restart(at);
        }
    }

    /// For how long nothing may be sent.
    pub fn frozen_for(&self, now: MonoTime) -> Duration {
        self.frozen_until - now
    }

    /// Begins where somebody else left off, with no burst saved up.
    pub fn inherit(&mut self, now: MonoTime, frozen_for: Duration) {
        if frozen_for > Duration::ZERO {
            self.frozen_until = self.frozen_until.max(now + frozen_for);
            self.pace.slow_down(now, self.frozen_until);
        }
        self.rate.restart(self.frozen_until.max(now));
    }

    /// Takes tokens for a send that starts.
    pub fn take(&mut self, now: MonoTime, tokens: u32) {
        self.rate.take(now, tokens, 1.0 / self.pace.at(now));
    }

    /// Gives tokens back of a send that never left.
    pub fn give_back(&mut self, tokens: u32) {
        self.rate.give_back(tokens);
    }

    /// The part of its configured rate that the bot keeps now.
    pub fn pace(&self, now: MonoTime) -> f64 {
        self.pace.at(now)
    }

    /// Records that Telegram asked a chat to wait. Two chats within seconds freeze the whole bot.
    pub fn record_flood(&mut self, now: MonoTime, chat: &ChatId, until: MonoTime) {
        if let Some(last) = self.last_flood.replace(ChatFlood { at: now, chat: chat.clone(), until })
            && last.chat != *chat
            && now - last.at <= FLOODS_TOGETHER_WITHIN
        {
            // The shorter of the two: if the bot is still too fast then, Telegram says so again.
            self.frozen_until = self.frozen_until.max(until.min(last.until));
            self.pace.slow_down(now, self.frozen_until);
            self.rate.restart(self.frozen_until);
        }
    }
}
