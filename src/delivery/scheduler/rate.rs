//! How fast the bot as a whole may send, and what flood waits make of it.

use crate::delivery::budget::{Pace, Window};
use crate::delivery::clock::Moment;
use crate::domain::ChatId;
use std::time::Duration;

/// Added to the second in which a bot's rate is counted; costs 1.5 % of the rate.
const SECOND_MARGIN: Duration = Duration::from_millis(15);
/// Two chats flooded within this mean that the bot is too fast, not the chats.
const FLOODS_TOGETHER: Duration = Duration::from_secs(5);
/// After a freeze of the bot the pace starts at a quarter and is back to full after this.
const GENTLE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Rate {
    pace: Pace,
    /// What the pace may catch up on must still fit into any one second.
    second: Window,
    frozen_until: Moment,
    gentle_since: Option<Moment>,
    last_flood: Option<Flood>,
}

#[derive(Debug)]
struct Flood {
    at: Moment,
    chat: ChatId,
    until: Moment,
}

impl Rate {
    /// So many messages a second; 0 for no limit.
    pub fn new(rate: f64) -> Self {
        Self {
            pace: Pace::bursty(rate, (rate / 2.0) as u32),
            // A rate below one a second is kept by the pace alone.
            second: Window::new(rate as u32, Duration::from_secs(1), SECOND_MARGIN),
            frozen_until: Moment::default(),
            gentle_since: None,
            last_flood: None,
        }
    }

    /// When the next send may start.
    pub fn ready_at(&self) -> Moment {
        self.pace.ready_at().max(self.second.ready_at(1)).max(self.frozen_until)
    }

    /// The time that one message takes at full pace.
    pub fn interval(&self) -> Duration {
        self.pace.interval()
    }

    /// Takes tokens for a send that starts.
    pub fn take(&mut self, now: Moment, tokens: u32) {
        self.pace.take(now, tokens, gentleness(now, self.gentle_since));
        self.second.take(now, tokens);
    }

    /// Gives tokens back of a send that never left.
    pub fn give_back(&mut self, tokens: u32) {
        self.pace.give_back(tokens);
        self.second.give_back(tokens);
    }

    /// Notes that a chat was told to wait.
    pub fn flooded(&mut self, now: Moment, chat: &ChatId, until: Moment) {
        if let Some(last) = self.last_flood.replace(Flood { at: now, chat: chat.clone(), until })
            && last.chat != *chat
            && now - last.at <= FLOODS_TOGETHER
        {
            // The shorter of the two: if the bot is still too fast then, it is told again.
            self.frozen_until = self.frozen_until.max(until.min(last.until));
            self.gentle_since = Some(self.frozen_until);
            self.pace.restart(self.frozen_until);
        }
    }
}

/// By how much the pace is stretched after a freeze: from 4 down to 1.
fn gentleness(now: Moment, since: Option<Moment>) -> f64 {
    since.map_or(1.0, |since| {
        let part = ((now - since).as_secs_f64() / GENTLE.as_secs_f64()).min(1.0);
        1.0 / (0.25 + 0.75 * part)
    })
}
