//! Going on where another owner of the bot left off.

use super::schedule::Scheduler;
use crate::delivery::mono_time::MonoTime;
use crate::ports::{Departure, FrozenChat, HandOver};
use std::time::Duration;

/// How many chats that must wait are told to the next owner at most; those that must wait longest, if there are more.
const MAX_FROZEN_CHATS: usize = 1_000;

impl Scheduler {
    /// For how long the whole bot may still send nothing.
    pub fn frozen_for(&self, now: MonoTime) -> Duration {
        self.rate.frozen_for(now)
    }

    /// What the next owner must know, beside what has left.
    pub fn hand_over(&self, now: MonoTime, departures: Vec<Departure>) -> HandOver {
        let frozen =
            self.chats.frozen(now).into_iter().map(|(chat, wait)| FrozenChat { chat, frozen_ms: millis(wait) });
        let mut frozen_chats: Vec<_> = frozen.collect();
        frozen_chats.sort_unstable_by_key(|frozen| std::cmp::Reverse(frozen.frozen_ms));
        frozen_chats.truncate(MAX_FROZEN_CHATS);
        HandOver { departures, frozen_ms: millis(self.frozen_for(now)), frozen_chats }
    }

    /// Begins as a new owner that knows what the one before has sent lately: as if it had sent that itself.
    pub fn inherit(&mut self, now: MonoTime, left: &HandOver) {
        self.rate.inherit(now, Duration::from_millis(left.frozen_ms));
        for departure in &left.departures {
            let at = now - Duration::from_millis(departure.age_ms);
            self.chats.get_or_insert(&departure.chat).limiter_mut().take(at, departure.messages);
        }
        for FrozenChat { chat, frozen_ms } in &left.frozen_chats {
            let until = now + Duration::from_millis(*frozen_ms);
            let limiter = self.chats.get_or_insert(chat).limiter_mut();
            limiter.freeze(until);
            limiter.slow_down(now, until);
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::rate_limit::ChatRateLimiter;
    use crate::domain::ChatId;
    use crate::settings::RateLimits;

    const LIMITS: RateLimits = RateLimits { bot_rate: 30.0, chat_rate: 1.0, chat_burst: 3, group_rate_per_minute: 20 };

    /// The moment at which the next owner begins.
    fn begin() -> MonoTime {
        MonoTime::after(Duration::from_secs(1_000))
    }

    fn inherited(ages_ms: impl Iterator<Item = u64>, frozen_ms: u64) -> Scheduler {
        let departures = ages_ms.map(|age_ms| Departure { age_ms, chat: ChatId::Id(7), messages: 1 }).collect();
        let mut scheduler = Scheduler::new(LIMITS, 256);
        scheduler.inherit(begin(), &HandOver { departures, frozen_ms, ..HandOver::default() });
        scheduler
    }

    #[test]
    fn a_bot_that_was_handed_over_goes_on_at_once_unless_it_is_frozen() {
        assert!(inherited(std::iter::empty(), 0).rate.ready_at() <= begin(), "no silence");
        assert_eq!(inherited(std::iter::empty(), 2_000).rate.ready_at() - begin(), Duration::from_secs(2), "frozen");
    }

    #[test]
    fn a_flood_wait_of_a_chat_binds_the_next_owner() {
        let mut first = Scheduler::new(LIMITS, 256);
        first.chats.get_or_insert(&ChatId::Id(7)).limiter_mut().freeze(begin() + Duration::from_secs(75));
        first.chats.get_or_insert(&ChatId::Id(8)).limiter_mut().freeze(begin());
        let left = first.hand_over(begin(), Vec::new());
        assert_eq!(left.frozen_chats, [FrozenChat { chat: ChatId::Id(7), frozen_ms: 75_000 }]);
        let mut next = Scheduler::new(LIMITS, 256);
        next.inherit(begin(), &left);
        let limiter = next.chats.get_or_insert(&ChatId::Id(7)).limiter_mut();
        assert_eq!(limiter.ready_at(begin(), 1) - begin(), Duration::from_secs(75));
    }

    #[test]
    fn a_private_chat_gets_no_second_burst() {
        let mut scheduler = inherited([200, 100, 0].into_iter(), 0);
        let mut alone = ChatRateLimiter::new(&ChatId::Id(7), &LIMITS);
        for age_ms in [200, 100, 0] {
            alone.take(begin() - Duration::from_millis(age_ms), 1);
        }
        let limiter = scheduler.chats.get_or_insert(&ChatId::Id(7)).limiter_mut();
        assert_eq!(limiter.ready_at(begin(), 1), alone.ready_at(begin(), 1), "as if it had sent them itself");
        assert!(limiter.ready_at(begin(), 1) > begin());
    }
}
