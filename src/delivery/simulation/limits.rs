//! Telegram's limits as strictly as they can be read, counted where requests arrive and independently of the engine's own
//! counters (Bots FAQ): 30 messages in any second, 20 in any minute to a group, 1 a second with a burst of 3 to a private
//! chat.

use super::judge::Rule;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What one bot has sent.
#[derive(Default)]
pub struct StrictLimits {
    bot: Window,
    groups: BTreeMap<i64, Window>,
    /// By private chat: when all that has arrived is paid off at one a second.
    private: BTreeMap<i64, Duration>,
}

impl StrictLimits {
    /// Counts a request that makes so many messages; returns the limits that it breaks, with what was counted.
    pub fn count(&mut self, now: Duration, chat: i64, cost: u32) -> Vec<(Rule, String)> {
        let mut broken = Vec::new();
        let in_second = self.bot.count(now, SECOND, cost);
        if in_second > 30 {
            broken.push((Rule::BotLimit, format!("{in_second} in a second")));
        }
        if chat < 0 {
            let in_minute = self.groups.entry(chat).or_default().count(now, MINUTE, cost);
            if in_minute > 20 {
                broken.push((Rule::GroupLimit, format!("{in_minute} in a minute to {chat}")));
            }
        } else {
            let paid_off = self.private.entry(chat).or_default();
            // The third at once finds two seconds to be paid off. An album is let in by its first message.
            if *paid_off > now + 2 * SECOND {
                broken.push((Rule::PrivateLimit, format!("{:?} early to {chat}", *paid_off - now - 2 * SECOND)));
            }
            *paid_off = (*paid_off).max(now) + cost * SECOND;
        }
        broken
    }
}

/// What arrived within a span.
#[derive(Default)]
struct Window(VecDeque<(Duration, u32)>);

impl Window {
    fn count(&mut self, now: Duration, span: Duration, cost: u32) -> u32 {
        self.0.push_back((now, cost));
        while self.0.front().is_some_and(|(at, _)| now - *at >= span) {
            self.0.pop_front();
        }
        self.0.iter().map(|(_, cost)| cost).sum()
    }
}
