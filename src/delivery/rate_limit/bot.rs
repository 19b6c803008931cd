//! How fast the bot as a whole may send, and what flood waits make of it.

use super::gcra::Gcra;
use super::sliding_window::SlidingWindow;
use crate::delivery::mono_time::MonoTime;
use crate::domain::ChatId;
use std::time::Duration;

/// Added to the second over which a bot's messages are counted; costs 1.5 % of the rate.
const SECOND_MARGIN: Duration = Duration::from_millis(15);
/// Flood waits of two chats within this mean that the bot is too fast, not the chats.
const FLOODS_TOGETHER_WITHIN: Duration = Duration::from_secs(5);
/// After a freeze of the bot its rate starts at a quarter and is back to full after this.
const SLOW_START: Duration = Duration::from_secs(30);

/// The rate limits of one bot over all its chats.
#[derive(Debug)]
pub struct BotRateLimiter {
    rate: Gcra,
    /// What the rate may catch up on must still fit into any one second.
    second: SlidingWindow,
    frozen_until: MonoTime,
    slow_since: Option<MonoTime>,
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
            rate: Gcra::bursty(rate, (rate / 2.0) as u32),
            // A rate below one a second is kept by the GCRA alone.
            second: SlidingWindow::new(rate as u32, Duration::from_secs(1), SECOND_MARGIN),
            frozen_until: MonoTime::default(),
            slow_since: None,
            last_flood: None,
        }
    }

    /// When the next send may start.
    pub fn ready_at(&self) -> MonoTime {
        self.rate.ready_at().max(self.second.ready_at(1)).max(self.frozen_until)
    }

    /// The time that one message takes at full rate.
    pub fn interval(&self) -> Duration {
        self.rate.interval()
    }

    /// Begins after somebody else may have sent up to now: nothing is sent for the second over which Telegram counts, and
    /// no burst is saved up. Without a limit there is nothing to keep.
    pub fn take_over(&mut self, now: MonoTime) {
        if self.rate.interval() > Duration::ZERO {
            let from = now + Duration::from_secs(1) + SECOND_MARGIN;
            self.frozen_until = self.frozen_until.max(from);
            self.rate.restart(from);
        }
    }

    /// For how long nothing may be sent.
    pub fn frozen_for(&self, now: MonoTime) -> Duration {
        self.frozen_until - now
    }

    /// Begins where somebody else left off, with no burst saved up. What that one has sent is to be recorded next.
    pub fn inherit(&mut self, now: MonoTime, frozen_for: Duration) {
        if frozen_for > Duration::ZERO {
            self.frozen_until = self.frozen_until.max(now + frozen_for);
            self.slow_since = Some(self.frozen_until);
        }
        self.rate.restart(self.frozen_until.max(now));
    }

    /// Records messages that somebody else has sent.
    pub fn record_departure(&mut self, at: MonoTime, messages: u32) {
        self.second.take(at, messages);
    }

    /// Takes tokens for a send that starts.
    pub fn take(&mut self, now: MonoTime, tokens: u32) {
        self.rate.take(now, tokens, slow_start_stretch(now, self.slow_since));
        self.second.take(now, tokens);
    }

    /// Gives tokens back of a send that never left.
    pub fn give_back(&mut self, tokens: u32) {
        self.rate.give_back(tokens);
        self.second.give_back(tokens);
    }

    /// Records that Telegram asked a chat to wait. Two chats within seconds freeze the whole bot.
    pub fn record_flood(&mut self, now: MonoTime, chat: &ChatId, until: MonoTime) {
        if let Some(last) = self.last_flood.replace(ChatFlood { at: now, chat: chat.clone(), until })
            && last.chat != *chat
            && now - last.at <= FLOODS_TOGETHER_WITHIN
        {
            // The shorter of the two: if the bot is still too fast then, Telegram says so again.
            self.frozen_until = self.frozen_until.max(until.min(last.until));
            self.slow_since = Some(self.frozen_until);
            self.rate.restart(self.frozen_until);
        }
    }
}

/// How much longer a token takes after a freeze: from 4 times down to once.
fn slow_start_stretch(now: MonoTime, since: Option<MonoTime>) -> f64 {
    since.map_or(1.0, |since| {
        let part = ((now - since).as_secs_f64() / SLOW_START.as_secs_f64()).min(1.0);
        1.0 / (0.25 + 0.75 * part)
    })
}
