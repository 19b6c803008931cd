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
            self.rate.record_departure(at, departure.messages);
            self.chats.get_or_insert(&departure.chat).limiter_mut().take(at, departure.messages);
        }
    }
}
