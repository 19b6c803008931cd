//! Telegram's published rate limits (Bots FAQ), enforced: a token bucket for each bot and each chat, and for groups a
//! sliding window of a minute.

use std::collections::{HashMap, VecDeque};

/// How fast bots may send; 0 stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SandboxLimits {
    /// Messages a second of one bot over all chats.
    pub bot_rate: f64,
    /// How many of them may come at once.
    pub bot_burst: f64,
    /// Messages of one bot over all chats in any one second.
    pub bot_per_second: usize,
    /// Messages a second to one private chat.
    pub chat_rate: f64,
    /// How many of them may come at once.
    pub chat_burst: f64,
    /// Messages to one group or channel in any 60 seconds.
    pub group_per_minute: usize,
    /// Messages a second to one group or channel.
    pub group_rate: f64,
    /// How many of them may come at once.
    pub group_burst: f64,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            bot_rate: 30.0,
            bot_burst: 30.0,
            bot_per_second: 0,
            chat_rate: 1.0,
            chat_burst: 5.0,
            group_per_minute: 20,
            group_rate: 1.0,
            group_burst: 3.0,
        }
    }
}

impl SandboxLimits {
    /// The strictest reading of what Telegram publishes: 30 messages of a bot in **any** second, 20 to a group in any minute,
    /// and one a second to a private chat, of which 3 may come at once.
    pub fn strict() -> Self {
        Self { bot_rate: 0.0, bot_per_second: 30, chat_burst: 3.0, ..Self::default() }
    }
}

/// What the rate limits say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateDecision {
    /// It may pass, and has been counted.
    Allowed,
    /// It comes too soon.
    Limited {
        /// Whole seconds to wait.
        retry_after: u64,
        /// The chat had been told to wait and did not.
        violation: bool,
    },
}

/// Chats at rest are forgotten when there are more than this: they start again with full buckets, as they are.
const CHATS_BEFORE_SWEEP: usize = 50_000;
const MINUTE_SECONDS: f64 = 60.0;

/// The rate limits of all bots and chats.
#[derive(Default)]
pub struct SandboxRateLimiter {
    limits: Option<SandboxLimits>,
    bots: HashMap<u64, BotRate>,
    chats: HashMap<(u64, i64), ChatRate>,
    sweep_at: usize,
}

struct BotRate {
    bucket: TokenBucket,
    second: SlidingWindow,
}

#[derive(Default)]
struct ChatRate {
    bucket: Option<TokenBucket>,
    /// For groups.
    minute: SlidingWindow,
    /// Until when it has been told to wait.
    blocked_until: f64,
}

impl SandboxRateLimiter {
    pub fn new(limits: Option<SandboxLimits>) -> Self {
        Self { limits, sweep_at: CHATS_BEFORE_SWEEP, ..Self::default() }
    }

    /// Asks for `cost` messages to a chat. An edit counts for the bot and, in groups, for the chat.
    pub fn admit(&mut self, now: f64, bot: u64, chat_id: i64, cost: usize, edit: bool) -> RateDecision {
        self.sweep(now);
        let chat = self.chats.entry((bot, chat_id)).or_default();
        if now < chat.blocked_until {
            return RateDecision::Limited { retry_after: whole_seconds(chat.blocked_until - now), violation: true };
        }
        let Some(limits) = self.limits else { return RateDecision::Allowed };
        let group = chat_id < 0;
        let (rate, burst) =
            if group { (limits.group_rate, limits.group_burst) } else { (limits.chat_rate, limits.chat_burst) };
        let rate = if edit && !group { 0.0 } else { rate };
        let bot = self.bots.entry(bot).or_insert_with(|| BotRate::new(now, &limits));
        bot.bucket.refill(now, limits.bot_rate, limits.bot_burst);
        let chat_bucket = chat.bucket.get_or_insert_with(|| TokenBucket::full(now, burst));
        chat_bucket.refill(now, rate, burst);
        let per_minute = if group { limits.group_per_minute } else { 0 };
        let wait = [
            bot.bucket.wait(cost, limits.bot_rate, limits.bot_burst),
            bot.second.wait(now, cost, limits.bot_per_second, 1.0),
            chat_bucket.wait(cost, rate, burst),
            chat.minute.wait(now, cost, per_minute, MINUTE_SECONDS),
        ];
        let wait = wait.into_iter().fold(0.0, f64::max);
        if wait > 0.0 {
            let retry_after = whole_seconds(wait);
            chat.blocked_until = now + retry_after as f64;
            return RateDecision::Limited { retry_after, violation: false };
        }
        bot.bucket.take(cost, limits.bot_rate);
        bot.second.take(now, cost, limits.bot_per_second);
        chat_bucket.take(cost, rate);
        chat.minute.take(now, cost, per_minute);
        RateDecision::Allowed
    }

    /// Tells a chat to wait, for a flood wait on demand: what comes sooner is a violation.
    pub fn block_until(&mut self, bot: u64, chat_id: i64, until: f64) {
        let chat = self.chats.entry((bot, chat_id)).or_default();
        chat.blocked_until = chat.blocked_until.max(until);
    }

    fn sweep(&mut self, now: f64) {
        if self.chats.len() < self.sweep_at {
            return;
        }
        self.chats.retain(|_, chat| {
            let resting = chat.bucket.as_ref().is_none_or(|bucket| now - bucket.at > MINUTE_SECONDS);
            now < chat.blocked_until || !resting
        });
        self.sweep_at = CHATS_BEFORE_SWEEP.max(self.chats.len() * 2);
    }
}

/// A token bucket: a message takes a token, and `rate` tokens a second come back, up to `burst`.
struct TokenBucket {
    tokens: f64,
    at: f64,
}

impl TokenBucket {
    fn full(now: f64, burst: f64) -> Self {
        Self { tokens: burst, at: now }
    }

    fn refill(&mut self, now: f64, rate: f64, burst: f64) {
        self.tokens = (self.tokens + (now - self.at) * rate).min(burst);
        self.at = now;
    }

    /// Seconds until `cost` may pass. What costs more than the bucket holds passes when it is full, and leaves a debt.
    fn wait(&self, cost: usize, rate: f64, burst: f64) -> f64 {
        // Rounding in the refill must not refuse what comes exactly on time.
        let missing = (cost as f64).min(burst) - self.tokens - 1e-6;
        if rate > 0.0 { (missing / rate).max(0.0) } else { 0.0 }
    }

    fn take(&mut self, cost: usize, rate: f64) {
        if rate > 0.0 {
            self.tokens -= cost as f64;
        }
    }
}

impl BotRate {
    fn new(now: f64, limits: &SandboxLimits) -> Self {
        Self { bucket: TokenBucket::full(now, limits.bot_burst), second: SlidingWindow::default() }
    }
}

/// At most so many messages in any span of time; 0 stands for no limit.
#[derive(Default)]
struct SlidingWindow {
    /// When the messages of the last span passed.
    passed: VecDeque<f64>,
}

impl SlidingWindow {
    /// Seconds until `cost` may pass. What costs more than the limit passes when the window is empty.
    fn wait(&mut self, now: f64, cost: usize, limit: usize, span: f64) -> f64 {
        while self.passed.front().is_some_and(|at| *at <= now - span) {
            self.passed.pop_front();
        }
        let excess = (self.passed.len() + cost).saturating_sub(limit).min(self.passed.len());
        match excess.checked_sub(1) {
            Some(last_to_leave) if limit > 0 => self.passed[last_to_leave] + span - now,
            _ => 0.0,
        }
    }

    fn take(&mut self, now: f64, cost: usize, limit: usize) {
        if limit > 0 {
            self.passed.extend(std::iter::repeat_n(now, cost));
        }
    }
}

fn whole_seconds(seconds: f64) -> u64 {
    (seconds.ceil() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: u64 = 1;

    fn limiter() -> SandboxRateLimiter {
        SandboxRateLimiter::new(Some(SandboxLimits::default()))
    }

    fn passes(limiter: &mut SandboxRateLimiter, now: f64, chat: i64) -> bool {
        limiter.admit(now, BOT, chat, 1, false) == RateDecision::Allowed
    }

    #[test]
    fn a_private_chat_takes_five_at_once_and_then_one_a_second() {
        let mut limiter = limiter();
        assert_eq!((0..9).filter(|_| passes(&mut limiter, 0.0, 7)).count(), 5);
        assert!(passes(&mut limiter, 0.0, 8), "another chat is free");
        let sent = (1..=60).filter(|second| passes(&mut limiter, f64::from(*second), 7)).count();
        assert_eq!(sent, 60);
    }

    #[test]
    fn a_group_takes_twenty_in_any_minute() {
        let mut limiter = limiter();
        let sent = (0..60).filter(|second| passes(&mut limiter, f64::from(*second), -7)).count();
        assert_eq!(sent, 20);
        assert!(passes(&mut limiter, 60.0, -7), "the first has left the window");
        let refused = limiter.admit(60.5, BOT, -7, 1, false);
        assert_eq!(refused, RateDecision::Limited { retry_after: 1, violation: false });
    }

    #[test]
    fn a_bot_sends_thirty_a_second_over_all_chats() {
        let mut limiter = limiter();
        assert_eq!((1..=100).filter(|chat| passes(&mut limiter, 0.0, *chat)).count(), 30);
        assert_eq!((101..=200).filter(|chat| passes(&mut limiter, 1.0, *chat)).count(), 30);
        assert_eq!(limiter.admit(1.0, 2, 500, 1, false), RateDecision::Allowed, "another bot is free");
    }

    #[test]
    fn a_strict_one_takes_thirty_in_any_second_and_three_at_once_from_a_private_chat() {
        let mut limiter = SandboxRateLimiter::new(Some(SandboxLimits::strict()));
        let mut sent = |from: i64, now: f64| (from..from + 40).filter(|chat| passes(&mut limiter, now, *chat)).count();
        assert_eq!(sent(100, 0.0), 30);
        assert_eq!(sent(200, 0.999), 0, "nothing is saved up or refilled within the second");
        assert_eq!(sent(300, 1.0), 30);
        assert_eq!((0..9).filter(|_| passes(&mut limiter, 3.0, 7)).count(), 3);
        assert_eq!(limiter.admit(5.0, BOT, 8, 10, false), RateDecision::Allowed, "an album passes as a whole");
        assert_eq!((401..=440).filter(|chat| passes(&mut limiter, 5.5, *chat)).count(), 20, "and counts its items");
    }

    #[test]
    fn whoever_does_not_wait_is_refused_again_and_it_is_counted() {
        let mut limiter = limiter();
        for _ in 0..5 {
            assert!(passes(&mut limiter, 0.0, 7));
        }
        assert_eq!(limiter.admit(0.0, BOT, 7, 1, false), RateDecision::Limited { retry_after: 1, violation: false });
        assert_eq!(limiter.admit(0.9, BOT, 7, 1, false), RateDecision::Limited { retry_after: 1, violation: true });
        assert!(passes(&mut limiter, 1.0, 7), "the rejection in between extended nothing");
    }

    #[test]
    fn an_album_costs_its_items_and_passes_when_the_bucket_is_full() {
        let mut limiter = limiter();
        assert_eq!(limiter.admit(0.0, BOT, 7, 10, false), RateDecision::Allowed);
        assert_eq!(limiter.admit(0.0, BOT, -7, 10, false), RateDecision::Allowed);
        assert_eq!(limiter.admit(1.0, BOT, 7, 1, false), RateDecision::Limited { retry_after: 5, violation: false });
        assert_eq!(limiter.admit(14.0, BOT, -7, 10, false), RateDecision::Allowed);
        assert_eq!(
            limiter.admit(30.0, BOT, -7, 10, false),
            RateDecision::Limited { retry_after: 30, violation: false }
        );
    }

    #[test]
    fn a_flood_wait_on_demand_holds_without_limits_too() {
        let mut limiter = SandboxRateLimiter::new(None);
        limiter.block_until(BOT, 7, 3.0);
        assert_eq!(limiter.admit(1.0, BOT, 7, 1, false), RateDecision::Limited { retry_after: 2, violation: true });
        assert!(passes(&mut limiter, 3.0, 7));
    }

    #[test]
    fn resting_chats_are_forgotten() {
        let mut limiter = SandboxRateLimiter::new(Some(SandboxLimits { bot_rate: 0.0, ..SandboxLimits::default() }));
        for chat in 1..=200_000 {
            assert!(passes(&mut limiter, chat as f64 / 100.0, chat));
        }
        assert!(limiter.chats.len() <= CHATS_BEFORE_SWEEP);
    }
}
