//! Going on where another owner of the bot left off.

use super::schedule::Scheduler;
use crate::delivery::mono_time::MonoTime;
use crate::ports::HandOver;
use std::time::Duration;

impl Scheduler {
    /// For how long the whole bot may still send nothing.
    pub fn frozen_for(&self, now: MonoTime) -> Duration {
        self.rate.frozen_for(now)
    }

    /// Begins as a new owner that knows what the one before has sent lately: as if it had sent that itself.
    pub fn inherit(&mut self, now: MonoTime, left: &HandOver) {
        self.rate.inherit(now, Duration::from_millis(left.frozen_ms));
        for departure in &left.departures {
            let at = now - Duration::from_millis(departure.age_ms);
            self.chats.get_or_insert(&departure.chat).limiter_mut().take(at, departure.messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::rate_limit::ChatRateLimiter;
    use crate::domain::ChatId;
    use crate::ports::Departure;
    use crate::settings::RateLimits;

    const LIMITS: RateLimits = RateLimits { bot_rate: 30.0, chat_rate: 1.0, chat_burst: 3, group_rate_per_minute: 20 };

    /// The moment at which the next owner begins.
    fn begin() -> MonoTime {
        MonoTime::after(Duration::from_secs(1_000))
    }

    fn inherited(ages_ms: impl Iterator<Item = u64>, frozen_ms: u64) -> Scheduler {
        let departures = ages_ms.map(|age_ms| Departure { age_ms, chat: ChatId::Id(7), messages: 1 }).collect();
        let mut scheduler = Scheduler::new(LIMITS, 256);
        scheduler.inherit(begin(), &HandOver { departures, frozen_ms });
        scheduler
    }

    #[test]
    fn a_bot_that_was_handed_over_goes_on_at_once_unless_it_is_frozen() {
        assert!(inherited(std::iter::empty(), 0).rate.ready_at() <= begin(), "no silence");
        assert_eq!(inherited(std::iter::empty(), 2_000).rate.ready_at() - begin(), Duration::from_secs(2), "frozen");
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
