//! What waits for one chat in one lane: here, and in the queue.

use super::deferred::Deferred;
use super::job::{Place, SendJob};
use crate::delivery::mono_time::MonoTime;
use crate::domain::ChatId;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct ChatLane {
    /// In boxes: most chats have one, and a tree has places for eleven.
    waiting: BTreeMap<Place, Box<WaitingJob>>,
    /// What has gone back to the queue and must not be overtaken.
    pub deferred: Deferred,
    /// How many have arrived.
    arrivals: u64,
    /// Bytes of those that wait here.
    pub bytes: usize,
}

#[derive(Debug)]
pub(super) struct WaitingJob {
    pub job: SendJob,
    pub since: MonoTime,
    pub not_before: MonoTime,
    number: u64,
}

impl ChatLane {
    /// The number of an arrival: its old one, if it comes back.
    pub fn number_arrival(&mut self, job: &SendJob) -> u64 {
        let number = job.number.unwrap_or(self.arrivals);
        self.arrivals = self.arrivals.max(number + 1);
        self.deferred.remove(number, job.place);
        number
    }

    /// How many are to be sent before one of this number and place.
    pub fn count_ahead(&self, number: u64, place: Place) -> u64 {
        let is_last = self.waiting.last_key_value().is_none_or(|(last, _)| *last < place);
        let waiting = if is_last { self.waiting.len() } else { self.waiting.range(..place).count() };
        waiting as u64 + self.deferred.count_before(number, place)
    }

    /// The same of one that may not have arrived.
    pub fn count_ahead_of(&self, job: &SendJob) -> u64 {
        let number = self.waiting.get(&job.place).map(|waiting| waiting.number);
        self.count_ahead(number.or(job.number).unwrap_or(self.arrivals), job.place)
    }

    pub fn insert(&mut self, now: MonoTime, number: u64, job: SendJob, not_before: MonoTime) {
        self.bytes += job.bytes;
        let replaced = self.waiting.insert(job.place, Box::new(WaitingJob { job, since: now, not_before, number }));
        self.bytes -= replaced.map_or(0, |replaced| replaced.job.bytes);
    }

    /// The first, unless it would overtake a deferred one.
    pub fn head(&self, now: MonoTime) -> Option<&WaitingJob> {
        let (place, first) = self.waiting.first_key_value()?;
        self.deferred.blocks_until(first.number, *place).is_none_or(|until| until <= now).then_some(&**first)
    }

    /// Until when the first must not overtake a deferred one.
    pub fn blocked_until(&self) -> Option<MonoTime> {
        let (place, first) = self.waiting.first_key_value()?;
        self.deferred.blocks_until(first.number, *place)
    }

    pub fn take_head(&mut self, now: MonoTime) -> Option<(u64, WaitingJob)> {
        self.head(now)?;
        let (_, head) = self.waiting.pop_first()?;
        self.bytes -= head.job.bytes;
        Some((head.number, *head))
    }

    pub fn wake(&mut self, now: MonoTime, place: Place) {
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.not_before = waiting.not_before.min(now);
        }
    }

    pub fn first_place(&self) -> Option<Place> {
        self.waiting.keys().next().copied()
    }

    /// The number and place of the last that waits here.
    pub fn last(&self) -> Option<(u64, Place)> {
        self.waiting.last_key_value().map(|(place, last)| (last.number, *place))
    }

    /// Takes one that waits out and notes it as deferred.
    pub fn defer(&mut self, place: Place, until: MonoTime) -> Option<(SendJob, u64)> {
        let WaitingJob { job, number, .. } = *self.waiting.remove(&place)?;
        self.bytes -= job.bytes;
        self.deferred.insert(number, place, until);
        Some((job, number))
    }

    pub fn note_return(&mut self, job: &SendJob) {
        if let Some(number) = job.number {
            self.deferred.remove(number, job.place);
        }
    }

    pub fn remove(&mut self, job: &SendJob) -> Option<SendJob> {
        self.note_return(job);
        let removed = self.waiting.remove(&job.place)?.job;
        self.bytes -= removed.bytes;
        Some(removed)
    }

    /// Takes over the lane of another name of the same chat. Its deferred ones are known here by their numbers only if no
    /// other has arrived here yet; else the ledger still knows of them.
    pub fn absorb(&mut self, now: MonoTime, other: ChatLane, name: &ChatId) {
        if self.arrivals == 0 {
            (self.arrivals, self.deferred) = (other.arrivals, other.deferred);
        }
        for waiting in other.waiting.into_values() {
            let WaitingJob { job, not_before, number, .. } = *waiting;
            self.insert(now, number, SendJob { chat: name.clone(), ..job }, not_before);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}
