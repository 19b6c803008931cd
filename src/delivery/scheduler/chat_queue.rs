//! One chat: its FIFOs and its rate limits.

use super::chat_lane::ChatLane;
use super::job::{MAX_HOLD, Place, SendJob};
use super::lane_load::{LaneDemand, Share};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::ChatRateLimiter;
use crate::domain::{ChatId, Lane, NotificationId};
use crate::settings::RateLimits;
use std::time::Duration;

/// The least time for which a notification is deferred: a shorter way through the queue is not worth its cost.
const MIN_DEFER: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct ChatQueue {
    lanes: [ChatLane; 3],
    limiter: ChatRateLimiter,
    /// Which entry of the [`super::chat_table::ChatTable`]'s lists is this chat's; 0 for none.
    pub stamp: u64,
    /// The lane in whose list of ready chats that entry stands, if it stands in one.
    pub ready_in: Option<Lane>,
    pub in_flight: bool,
    /// Somebody has paused it: it is never ready.
    pub is_paused: bool,
    /// What of each lane is counted of it.
    counted: [LaneDemand; 3],
}

/// One that goes back to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferredJob {
    /// Which.
    pub id: NotificationId,
    /// When its turn will be.
    pub until: MonoTime,
    /// The number of its arrival, by which it is known when it comes back.
    pub number: u64,
}

impl ChatQueue {
    pub fn new(chat: &ChatId, limits: &RateLimits) -> Self {
        let limiter = ChatRateLimiter::new(chat, limits);
        Self {
            lanes: Default::default(),
            limiter,
            stamp: 0,
            ready_in: None,
            in_flight: false,
            is_paused: false,
            counted: Default::default(),
        }
    }

    /// Takes in a job that arrives, or says until when it should go back to the queue.
    pub fn admit(&mut self, now: MonoTime, job: SendJob, share: Share) -> Result<(), DeferredJob> {
        let lane = &mut self.lanes[job.lane as usize];
        let number = lane.number_arrival(&job);
        let ahead = lane.count_ahead(number, job.place);
        let sendable = u64::try_from(MAX_HOLD.as_micros() / self.limiter.interval().as_micros()).unwrap_or(u64::MAX);
        // The first of its chat is taken in if there is any room: those behind it wait for it, wherever they are.
        let over_share = ahead > 0 && (ahead >= share.messages.min(sendable) || lane.bytes + job.bytes > share.bytes);
        if !over_share && job.bytes <= share.free_bytes && self.limiter.frozen_until() <= now + MAX_HOLD {
            lane.insert(now, number, job, now);
            return Ok(());
        }
        let mut until = self.limiter.estimate(now, ahead, share.turns_of_others(ahead)).max(now + MIN_DEFER);
        if job.bytes > share.free_bytes {
            until = until.max(now + share.room_in());
        }
        self.lanes[job.lane as usize].deferred.insert(number, job.place, until);
        Err(DeferredJob { id: job.id, until, number })
    }

    /// Puts a job back that was in flight.
    pub fn insert(&mut self, now: MonoTime, number: u64, job: SendJob, not_before: MonoTime) {
        self.lanes[job.lane as usize].insert(now, number, job, not_before);
    }

    /// When a job would be sent, whether it is here already or not, as far as its chat is concerned.
    pub fn estimate_turn(&self, now: MonoTime, job: &SendJob) -> MonoTime {
        let lane = job.lane as usize;
        let above: usize = self.lanes[..lane].iter().map(ChatLane::len).sum();
        let own = self.lanes[lane].count_ahead_of(job);
        self.limiter.estimate(now, own + above as u64 + u64::from(self.in_flight), Duration::ZERO)
    }

    /// The job to send next: urgent first, then by place. `None` while it may not overtake a deferred one.
    pub fn head(&self, now: MonoTime) -> Option<&SendJob> {
        self.lanes.iter().find_map(|lane| lane.head(now)).map(|head| &head.job)
    }

    /// When the head may go.
    pub fn ready_at(&self, now: MonoTime) -> MonoTime {
        match self.lanes.iter().find_map(|lane| lane.head(now)) {
            Some(head) => self.limiter.ready_at(now, head.job.cost).max(head.not_before),
            None => {
                let unblocked = self.lanes.iter().filter_map(ChatLane::blocked_until).min().unwrap_or(now);
                unblocked.max(self.limiter.frozen_until())
            }
        }
    }

    /// Takes the head out for its flight; also the number of its arrival, and since when it waited.
    pub fn take_head(&mut self, now: MonoTime) -> Option<(u64, SendJob, MonoTime)> {
        let lane = self.lanes.iter_mut().find(|lane| lane.head(now).is_some())?;
        let (number, head) = lane.take_head(now)?;
        self.in_flight = true;
        Some((number, head.job, head.since.max(head.not_before)))
    }

    /// Ends the flight of a send. Tokens are taken when the answer is there: Telegram has counted it before that, whatever
    /// held it up on its way.
    pub fn end_flight(&mut self, now: MonoTime, cost: u32, has_left: bool) {
        self.in_flight = false;
        if has_left {
            self.limiter.take(now, cost);
        }
    }

    pub fn limiter_mut(&mut self) -> &mut ChatRateLimiter {
        &mut self.limiter
    }

    /// Until when flood waits keep it from being written to.
    pub fn frozen_until(&self) -> MonoTime {
        self.limiter.frozen_until()
    }

    pub fn is_slowed(&self, now: MonoTime) -> bool {
        self.limiter.is_slowed(now)
    }

    /// Lets one that waits for a later moment go now.
    pub fn wake(&mut self, now: MonoTime, lane: Lane, place: Place) {
        self.lanes[lane as usize].wake(now, place);
    }

    /// Takes one that waits out, to go back to the queue.
    pub fn defer(&mut self, now: MonoTime, lane: Lane, place: Place, until: MonoTime) -> Option<(SendJob, u64)> {
        self.lanes[lane as usize].defer(place, until.max(now + MIN_DEFER))
    }

    /// Whether more than one waits in a lane: one is within every share.
    pub fn has_several(&self, lane: Lane) -> bool {
        self.lanes[lane as usize].len() > 1
    }

    /// Takes out what waits in a lane beyond its share, the last first.
    pub fn shed(&mut self, now: MonoTime, lane: Lane, share: Share, out: &mut Vec<(SendJob, DeferredJob)>) {
        while self.lanes[lane as usize].len() as u64 > share.messages {
            let Some((number, place)) = self.lanes[lane as usize].last() else { return };
            let ahead = self.lanes[lane as usize].count_ahead(number, place);
            let until = self.limiter.estimate(now, ahead, share.turns_of_others(ahead)).max(now + MIN_DEFER);
            if let Some((job, number)) = self.lanes[lane as usize].defer(place, until) {
                out.push((job.clone(), DeferredJob { id: job.id, until, number }));
            }
        }
    }

    /// Counts what it has to send among what all chats have; whether it had nothing before.
    pub fn count_demand(&mut self, demand: &mut [LaneDemand; 3]) -> bool {
        let was_idle = self.is_idle();
        for ((lane, counted), all) in self.lanes.iter().zip(&mut self.counted).zip(demand) {
            let is_active = !lane.is_empty() || !lane.deferred.is_empty();
            let own = LaneDemand { chats: usize::from(is_active), deferred: lane.deferred.len() };
            all.chats = all.chats + own.chats - counted.chats;
            all.deferred = all.deferred + own.deferred - counted.deferred;
            *counted = own;
        }
        was_idle && !self.is_idle()
    }

    /// Whether it had nothing to send when it was looked at last.
    pub fn is_idle(&self) -> bool {
        self.counted == [LaneDemand::default(); 3] && !self.in_flight
    }

    pub fn is_counted(&self, lane: Lane) -> bool {
        self.counted[lane as usize].chats > 0
    }

    pub fn stop_counting(&mut self, demand: &mut [LaneDemand; 3]) {
        for (counted, all) in self.counted.iter_mut().zip(demand) {
            let own = std::mem::take(counted);
            all.chats -= own.chats;
            all.deferred -= own.deferred;
        }
    }

    /// Takes the last out that waits in a lane, to go back to the queue until a moment.
    pub fn defer_last(&mut self, lane: Lane, until: MonoTime) -> Option<(SendJob, u64)> {
        let (_, place) = self.lanes[lane as usize].last()?;
        self.lanes[lane as usize].defer(place, until)
    }

    /// Takes everything out that waits, each with the moment at which its turn will come.
    pub fn defer_all(&mut self, now: MonoTime) -> Vec<(SendJob, DeferredJob)> {
        let mut out = Vec::new();
        for lane in Lane::ALL {
            while let Some(place) = self.lanes[lane as usize].first_place() {
                let until = self.limiter.estimate(now, out.len() as u64, Duration::ZERO).max(now + MIN_DEFER);
                if let Some((job, number)) = self.lanes[lane as usize].defer(place, until) {
                    out.push((job.clone(), DeferredJob { id: job.id, until, number }));
                }
            }
        }
        out
    }

    /// Nothing waits any more for one that had gone back to the queue.
    pub fn note_return(&mut self, job: &SendJob) {
        self.lanes[job.lane as usize].note_return(job);
    }

    /// Forgets one, also one that has gone back to the queue: what ended there must not be waited for. The one that waited
    /// here.
    pub fn remove(&mut self, job: &SendJob) -> Option<SendJob> {
        self.lanes[job.lane as usize].remove(job)
    }

    /// Takes over what waits for another name of the same chat.
    pub fn absorb(&mut self, now: MonoTime, other: ChatQueue, name: &ChatId) {
        for (mine, theirs) in self.lanes.iter_mut().zip(other.lanes) {
            mine.absorb(now, theirs, name);
        }
    }

    /// The same chat under another name, with the limits of that name.
    pub fn renamed(self, now: MonoTime, name: &ChatId, limits: &RateLimits) -> Self {
        let mut renamed = Self::new(name, limits);
        renamed.absorb(now, self, name);
        renamed
    }

    pub fn clear(&mut self) {
        self.lanes = Default::default();
        (self.stamp, self.ready_in, self.counted) = (0, None, Default::default());
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(ChatLane::is_empty)
    }

    /// How many wait here.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lanes.iter().map(ChatLane::len).sum()
    }

    /// Whether nothing is left to do and a new one would behave the same.
    pub fn is_forgettable(&mut self, now: MonoTime) -> bool {
        let lost: u64 = self.lanes.iter_mut().map(|lane| lane.deferred.forget_lost(now)).sum();
        if lost > 0 {
            tracing::warn!(lost, "deferred notifications did not come back from the queue");
        }
        let away = self.lanes.iter().any(|lane| !lane.deferred.is_empty());
        self.is_empty() && !self.in_flight && !away && self.limiter.is_idle(now)
    }
}
