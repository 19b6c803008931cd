//! Telegram's limits as strictly as they can be read, counted where requests arrive and independently of the engine's own
//! counters (Bots FAQ): 30 messages in any second, 20 in any minute to a group, 1 a second with a burst of 3 to a private
//! chat.

use super::judge::Rule;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How far ahead of its rate a private chat may be: a third message at once finds two seconds to be paid off.
const BURST: Duration = Duration::from_secs(2);

/// What one bot has sent.
#[derive(Default)]
pub struct StrictLimits {
    bot: Window,
    groups: BTreeMap<i64, Window>,
    private: BTreeMap<i64, PrivateChat>,
}

#[derive(Default)]
struct PrivateChat {
    /// When all that has arrived is paid off at one a second.
    paid_off: Duration,
    /// Who sent last.
    worker: usize,
}

impl StrictLimits {
    /// Counts a request that makes so many messages; returns the limits that it breaks, with what was counted.
    pub fn count(&mut self, now: Duration, worker: usize, chat: i64, cost: u32) -> Vec<(Rule, String)> {
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
            let private = self.private.entry(chat).or_default();
            // An album needs as much as it costs, and all there can be if it costs more; the rest is paid off after it.
            let free_at = private.paid_off + (SECOND * cost.saturating_sub(1)).min(BURST);
            if free_at > now + BURST {
                let is_heir = private.worker != worker;
                let rule = if is_heir { Rule::AlbumDebt } else { Rule::PrivateLimit };
                broken.push((rule, format!("{:?} early to {chat}", free_at - now - BURST)));
                if is_heir {
                    // Told once, and not of each that follows.
                    private.paid_off = now + SECOND;
                }
            }
            private.paid_off = private.paid_off.max(now) + cost * SECOND;
            private.worker = worker;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn first_broken(chats: impl Fn(u64) -> i64, every: u64) -> Option<(u64, Rule)> {
        let mut limits = StrictLimits::default();
        (0..100).find_map(|number| {
            let broken = limits.count(Duration::from_millis(number * every), 0, chats(number), 1);
            broken.first().map(|(rule, _)| (number, *rule))
        })
    }

    #[test]
    fn every_limit_is_seen_when_it_is_broken_and_not_before() {
        assert_eq!(first_broken(|number| number as i64 + 1, 33), Some((30, Rule::BotLimit)));
        assert_eq!(first_broken(|number| number as i64 + 1, 34), None);
        assert_eq!(first_broken(|_| -1, 2_999), Some((20, Rule::GroupLimit)));
        assert_eq!(first_broken(|_| -1, 3_000), None);
        assert_eq!(first_broken(|_| 1, 10), Some((3, Rule::PrivateLimit)));
        assert_eq!(first_broken(|_| 1, 1_000), None);
    }

    #[test]
    fn an_album_needs_a_full_bucket() {
        let mut limits = StrictLimits::default();
        assert!(limits.count(10 * SECOND, 0, 1, 4).is_empty());
        assert!(!limits.count(13 * SECOND, 0, 1, 4).is_empty());
        assert!(limits.count(18 * SECOND, 0, 1, 4).is_empty());
    }

    #[test]
    fn a_new_owner_that_does_not_know_of_an_album_is_told_apart() {
        let mut limits = StrictLimits::default();
        assert!(limits.count(SECOND, 0, 1, 8).is_empty());
        let rules = |broken: Vec<(Rule, String)>| broken.into_iter().map(|(rule, _)| rule).collect::<Vec<_>>();
        assert_eq!(rules(limits.count(2 * SECOND, 1, 1, 1)), [Rule::AlbumDebt]);
        assert_eq!(rules(limits.count(2 * SECOND, 1, 1, 1)), []);
        assert_eq!(rules(limits.count(2 * SECOND, 1, 1, 1)), [Rule::PrivateLimit]);
    }
}
