//! One chat: its FIFOs and its rate limits.

use super::job::{MAX_HOLD, SendJob};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::ChatRateLimiter;
use crate::domain::{ChatId, Lane, NotificationId};
use crate::settings::RateLimits;
use std::collections::BTreeMap;
use std::time::Duration;

/// A deferred notification that is later than this is not waited for any more: it was cancelled, or is stuck somewhere.
const DEFERRED_GRACE: Duration = Duration::from_secs(15);
/// The least time for which a notification is deferred: a shorter way through the queue is not worth its cost.
const MIN_DEFER: Duration = Duration::from_secs(1);
/// A chat may hold so many per lane however slow it is and however many chats there are.
const MIN_HELD_PER_LANE: usize = 4;

#[derive(Debug)]
pub(super) struct ChatQueue {
    lanes: [ChatLane; 3],
    limiter: ChatRateLimiter,
    /// Which entry of the [`super::chat_table::ChatTable`]'s lists is this chat's; 0 for none.
    pub stamp: u64,
    /// The lane in whose list of ready chats that entry stands, if it stands in one.
    pub ready_in: Option<Lane>,
    pub in_flight: bool,
}

#[derive(Debug, Default)]
struct ChatLane {
    waiting: BTreeMap<NotificationId, WaitingJob>,
    /// What has gone back to the queue and must not be overtaken, and until when it went.
    deferred: BTreeMap<NotificationId, MonoTime>,
}

#[derive(Debug)]
struct WaitingJob {
    job: SendJob,
    since: MonoTime,
    not_before: MonoTime,
}

impl ChatQueue {
    pub fn new(chat: &ChatId, limits: &RateLimits) -> Self {
        let limiter = ChatRateLimiter::new(chat, limits);
        Self { lanes: Default::default(), limiter, stamp: 0, ready_in: None, in_flight: false }
    }

    pub fn insert(&mut self, now: MonoTime, job: SendJob, not_before: MonoTime) {
        let lane = &mut self.lanes[job.lane as usize];
        lane.deferred.remove(&job.id);
        lane.waiting.insert(job.id, WaitingJob { job, since: now, not_before });
    }

    /// Until when a new job should go back to the queue, if it should. `share` is how many of a lane one chat may hold.
    pub fn should_defer(&mut self, now: MonoTime, job: &SendJob, share: usize) -> Option<MonoTime> {
        let (interval, frozen_until) = (self.limiter.interval(), self.limiter.frozen_until());
        let lane = &mut self.lanes[job.lane as usize];
        lane.deferred.remove(&job.id);
        lane.forget_overdue(now);
        let behind_deferred = lane.deferred.first_key_value().is_some_and(|(first, _)| *first < job.id);
        let sendable = usize::try_from(MAX_HOLD.as_micros() / interval.as_micros()).unwrap_or(usize::MAX);
        // Only those before it count: an older one that comes back from the queue is not deferred again because younger
        // ones fill the chat, since they must wait for it.
        let full = lane.waiting.range(..job.id).count() >= share.min(sendable).max(MIN_HELD_PER_LANE);
        let turn = frozen_until.max(now) + interval * u32::try_from(lane.ahead_of(job.id)).unwrap_or(u32::MAX);
        (frozen_until > now + MAX_HOLD || full || behind_deferred).then(|| turn.max(now + MIN_DEFER))
    }

    pub fn record_deferred(&mut self, lane: Lane, id: NotificationId, until: MonoTime) {
        self.lanes[lane as usize].deferred.insert(id, until);
    }

    /// When a job would be sent, whether it is here already or not, as far as its chat is concerned.
    pub fn estimate_turn(&self, now: MonoTime, job: &SendJob) -> MonoTime {
        let lane = job.lane as usize;
        let above: usize = self.lanes[..lane].iter().map(|lane| lane.waiting.len()).sum();
        let own = &self.lanes[lane];
        // What is overdue is waited for by nobody.
        let deferred = own.deferred.range(..job.id).filter(|(_, until)| **until + DEFERRED_GRACE > now).count();
        let before = above + own.waiting.range(..job.id).count() + deferred;
        let in_flight = u32::from(self.in_flight);
        let start = self.limiter.ready_at(now, job.cost).max(now);
        start + self.limiter.interval() * (u32::try_from(before).unwrap_or(u32::MAX - 1) + in_flight)
    }

    /// The job to send next: urgent first, then by id. `None` while it may not overtake a deferred one.
    pub fn head(&self, now: MonoTime) -> Option<&SendJob> {
        self.first(now).map(|waiting| &waiting.job)
    }

    fn first(&self, now: MonoTime) -> Option<&WaitingJob> {
        self.lanes.iter().find_map(|lane| {
            let (id, waiting) = lane.waiting.first_key_value()?;
            let overtakes = lane.blocked_until(*id).is_some_and(|until| until > now);
            (!overtakes).then_some(waiting)
        })
    }

    /// When the head may go.
    pub fn ready_at(&self, now: MonoTime) -> MonoTime {
        match self.first(now) {
            Some(head) => self.limiter.ready_at(now, head.job.cost).max(head.not_before),
            None => {
                let blocked = |lane: &ChatLane| lane.waiting.keys().next().and_then(|id| lane.blocked_until(*id));
                let unblocked = self.lanes.iter().filter_map(blocked).min().unwrap_or(now);
                unblocked.max(self.limiter.frozen_until())
            }
        }
    }

    /// Takes the head out for its flight; also since when it waited.
    pub fn take_head(&mut self, now: MonoTime) -> Option<(SendJob, MonoTime)> {
        let (lane, id) = self.first(now).map(|head| (head.job.lane, head.job.id))?;
        let head = self.lanes[lane as usize].waiting.remove(&id)?;
        self.in_flight = true;
        self.limiter.take(now, head.job.cost);
        Some((head.job, head.since.max(head.not_before)))
    }

    /// Ends the flight of a send that got an answer, or may have arrived.
    pub fn end_flight(&mut self, now: MonoTime, cost: u32) {
        self.in_flight = false;
        self.limiter.record_answer(now, cost);
    }

    /// Ends the flight of a send that never left: its tokens are good for another.
    pub fn cancel_flight(&mut self, cost: u32) {
        self.in_flight = false;
        self.limiter.give_back(cost);
    }

    pub fn limiter_mut(&mut self) -> &mut ChatRateLimiter {
        &mut self.limiter
    }

    /// Obeys a flood wait.
    pub fn freeze(&mut self, until: MonoTime) {
        self.limiter.freeze(until);
    }

    /// Takes everything out, each with the moment at which its turn will come.
    pub fn defer_all(&mut self, now: MonoTime) -> Vec<(NotificationId, MonoTime)> {
        let (start, interval) = (self.ready_at(now), self.limiter.interval());
        let mut out = Vec::new();
        for lane in &mut self.lanes {
            for id in std::mem::take(&mut lane.waiting).into_keys() {
                let until = start + interval * u32::try_from(out.len()).unwrap_or(u32::MAX);
                lane.deferred.insert(id, until);
                out.push((id, until));
            }
        }
        out
    }

    pub fn take_all(&mut self) -> impl Iterator<Item = SendJob> {
        let lanes = self.lanes.iter_mut().flat_map(|lane| std::mem::take(&mut lane.waiting).into_values());
        lanes.map(|waiting| waiting.job)
    }

    /// Forgets one, also one that has gone back to the queue: what ended there must not be waited for.
    pub fn remove(&mut self, id: NotificationId) -> bool {
        self.lanes.iter_mut().any(|lane| lane.deferred.remove(&id).is_some() | lane.waiting.remove(&id).is_some())
    }

    pub fn clear(&mut self) {
        self.lanes = Default::default();
        (self.stamp, self.ready_in) = (0, None);
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.waiting.is_empty())
    }

    /// How many wait here.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    /// Whether nothing is left to do and a new one would behave the same.
    pub fn is_forgettable(&self, now: MonoTime) -> bool {
        let deferred = self.lanes.iter().any(|lane| lane.deferred.values().any(|until| *until + DEFERRED_GRACE > now));
        self.is_empty() && !self.in_flight && !deferred && self.limiter.is_idle(now)
    }
}

impl ChatLane {
    /// Until when this id would overtake a deferred one.
    fn blocked_until(&self, id: NotificationId) -> Option<MonoTime> {
        let (first, until) = self.deferred.first_key_value()?;
        (*first < id).then_some(*until + DEFERRED_GRACE)
    }

    /// Deferred ones come back roughly in the order of their ids, so it is enough to look at the first.
    fn forget_overdue(&mut self, now: MonoTime) {
        while let Some(entry) = self.deferred.first_entry() {
            if *entry.get() + DEFERRED_GRACE > now {
                break;
            }
            entry.remove();
        }
    }

    /// How many have their turn before this id.
    fn ahead_of(&self, id: NotificationId) -> usize {
        let deferred = match self.deferred.last_key_value() {
            Some((last, _)) if *last < id => self.deferred.len(),
            _ => self.deferred.range(..id).count(),
        };
        self.waiting.len() + deferred
    }
}
