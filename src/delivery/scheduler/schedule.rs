//! The scheduler of one bot: which notification is sent next, and when.

use super::chat_table::ChatTable;
use super::job::{MAX_HOLD, SendJob};
use crate::delivery::circuit_breaker::{CircuitBreaker, SendGate};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::delivery::rate_limit::BotRateLimiter;
use crate::delivery::single_flight::{SingleFlight, UploadAdmission};
use crate::domain::{ChatId, Lane, NotificationId};
use crate::ports::{FileIds, FileKey};
use crate::settings::RateLimits;
use std::collections::HashMap;
use std::time::Duration;

/// Requests under way at a time. A server that holds each for 8 s (hidden flood waits) must not cost the rate of 30/s.
const MAX_IN_FLIGHT: usize = 512;
/// A deferred notification should be back a little before its turn: by this, or by a tenth of the time until then, whichever
/// is less.
const MAX_DEFER_LEAD: Duration = Duration::from_secs(5);
/// One chat may hold one in so many places of the courier's window of a lane, so that others have room; the rest is
/// deferred.
const CHAT_SHARE_DIVISOR: u16 = 8;

/// What became of a job that was to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueResult {
    /// It waits here.
    Enqueued,
    /// Its chat has more than its share, or must wait for long: put it back into the queue until then.
    Defer(MonoTime),
}

/// The next thing to do.
#[derive(Debug, PartialEq)]
pub enum NextSend {
    /// Send this one now.
    Now(Dispatch),
    /// Nothing can be sent before this moment, or before something ends.
    Wait(Option<MonoTime>),
}

/// One to send.
#[derive(Debug, PartialEq)]
pub struct Dispatch {
    /// Which.
    pub id: NotificationId,
    /// The file_ids that are known for its images.
    pub file_ids: FileIds,
    /// How long it waited here.
    pub waited: Duration,
}

/// The rate limits, FIFOs and uploads of one bot.
#[derive(Debug)]
pub struct Scheduler {
    share: usize,
    pub(super) rate: BotRateLimiter,
    /// Keeps every send back while Telegram is down or refuses the token.
    pub breaker: CircuitBreaker,
    /// Who uploads what.
    pub uploads: SingleFlight,
    pub(super) chats: ChatTable,
    /// What was dispatched, and the images that it uploads.
    pub(super) in_flight: HashMap<NotificationId, (SendJob, Vec<FileKey>)>,
}

impl Scheduler {
    /// For a bot with these limits, whose courier holds at most `window` notifications per lane.
    pub fn new(limits: RateLimits, window: u16) -> Self {
        Self {
            share: usize::from(window / CHAT_SHARE_DIVISOR),
            rate: BotRateLimiter::new(limits.bot_rate),
            breaker: CircuitBreaker::default(),
            uploads: SingleFlight::default(),
            chats: ChatTable::new(limits),
            in_flight: HashMap::new(),
        }
    }

    /// Takes a job in, or says until when its notification should go back to the queue.
    pub fn enqueue(&mut self, now: MonoTime, job: SendJob) -> EnqueueResult {
        self.chats.prune(now);
        let chat = self.chats.get_or_insert(&job.chat);
        if let Some(until) = chat.should_defer(now, &job, self.share) {
            chat.record_deferred(job.lane, job.id, until);
            return EnqueueResult::Defer(until - MAX_DEFER_LEAD.min((until - now) / 10));
        }
        let name = job.chat.clone();
        chat.insert(now, job, now);
        self.chats.place(now, &name);
        EnqueueResult::Enqueued
    }

    /// The next one to send at this moment. Call until it says wait.
    pub fn next(&mut self, now: MonoTime) -> NextSend {
        loop {
            if self.in_flight.len() >= MAX_IN_FLIGHT {
                return NextSend::Wait(None);
            }
            self.chats.wake(now);
            let Some(lane) = self.chats.pick_lane() else {
                return NextSend::Wait(self.chats.next_wake());
            };
            let ready_at = match self.breaker.gate() {
                SendGate::Now => self.rate.ready_at(),
                SendGate::ProbeAt(at) => at.max(self.rate.ready_at()),
                SendGate::AfterProbe => return NextSend::Wait(None),
            };
            if ready_at > now {
                return NextSend::Wait(Some(ready_at));
            }
            if let Some(dispatch) = self.dispatch(now, lane) {
                return NextSend::Now(dispatch);
            }
        }
    }

    /// Sends the head of the first chat of a lane, or finds that it cannot go and puts it where it belongs.
    fn dispatch(&mut self, now: MonoTime, lane: Lane) -> Option<Dispatch> {
        let name = self.chats.pop_ready(lane)?;
        let chat = self.chats.get_mut(&name)?;
        let head = match chat.head(now) {
            Some(head) if chat.ready_at(now) <= now => head,
            _ => {
                self.chats.place(now, &name);
                return None;
            }
        };
        let file_ids = match self.uploads.admit(now, &head.images) {
            UploadAdmission::Proceed(known) => known,
            UploadAdmission::InFlight(key) => {
                self.uploads.wait_for_upload(&key, name);
                return None;
            }
            UploadAdmission::AtCapacity => {
                self.uploads.wait_for_capacity(name);
                return None;
            }
            UploadAdmission::NotBefore(at) => {
                self.chats.wait_until(at, name);
                return None;
            }
        };
        let (job, since) = chat.take_head(now)?;
        let uploading = self.uploads.start(now, &job.images, &file_ids);
        self.rate.take(now, job.cost);
        self.breaker.record_start();
        self.chats.record_served(lane);
        let dispatch = Dispatch { id: job.id, file_ids, waited: now - since };
        self.in_flight.insert(job.id, (job, uploading));
        Some(dispatch)
    }

    /// Ends one that was dispatched. `file_ids`: those its uploads led to, or that the index had.
    pub fn finish(&mut self, now: MonoTime, id: NotificationId, step: NextStep, mut file_ids: FileIds) {
        let Some((job, uploading)) = self.in_flight.remove(&id) else { return };
        for key in uploading {
            for waiter in self.uploads.finish(&key, file_ids.remove(&key)) {
                self.chats.place(now, &waiter);
            }
        }
        let name = job.chat.clone();
        let Some(chat) = self.chats.get_mut(&name) else { return };
        match step {
            NextStep::Postpone(_) => {
                chat.cancel_flight(job.cost);
                self.rate.give_back(job.cost);
            }
            _ => chat.end_flight(now, job.cost),
        }
        match step {
            NextStep::Done | NextStep::Abandon => {}
            NextStep::Retry(pause) | NextStep::Postpone(pause) => chat.insert(now, job, now + pause),
            NextStep::FloodWait(wait) => {
                chat.insert(now, job, now);
                chat.freeze(now + wait);
                self.rate.record_flood(now, &name, now + wait);
            }
            NextStep::Migrate(to) => {
                chat.insert(now, job, now);
                return self.chats.migrate(now, &name, to);
            }
        }
        self.chats.place(now, &name);
    }

    /// Takes out what would have to wait here for longer than [`MAX_HOLD`]: the ids and until when.
    pub fn take_long_waiting(&mut self, now: MonoTime, chat: &ChatId) -> Vec<(NotificationId, MonoTime)> {
        let Some(found) = self.chats.get_mut(chat) else { return Vec::new() };
        if found.in_flight || found.ready_at(now) <= now + MAX_HOLD {
            return Vec::new();
        }
        let out = found.defer_all(now);
        self.chats.place(now, chat);
        out
    }

    /// When a job would be sent, as far as can be told now: its place in its chat, the bot's rate, and what they must
    /// wait for. It may be sooner if others are taken back, and later if more urgent ones come.
    pub fn estimate_turn(&self, now: MonoTime, job: &SendJob) -> MonoTime {
        let in_chat = self.chats.get(&job.chat).map_or(now, |chat| chat.estimate_turn(now, job));
        let before = u32::try_from(self.chats.ready_up_to(job.lane)).unwrap_or(u32::MAX);
        let in_bot = self.rate.ready_at().max(now) + self.rate.interval() * before;
        match self.breaker.gate() {
            SendGate::ProbeAt(at) => in_chat.max(in_bot).max(at),
            SendGate::Now | SendGate::AfterProbe => in_chat.max(in_bot),
        }
    }

    /// Takes one out that is not in flight, because it expired or goes back to the queue.
    pub fn remove(&mut self, now: MonoTime, chat: &ChatId, id: NotificationId) {
        if self.chats.get_mut(chat).is_some_and(|found| found.remove(id)) {
            self.chats.place(now, chat);
        }
    }

    /// Begins as a new owner of the bot, who does not know what the one before has sent: with a second of silence, and
    /// without a burst.
    pub fn take_over(&mut self, now: MonoTime) {
        self.rate.take_over(now);
    }

    /// Forgets everything that waits (it comes back from the queue), but not the rate limits nor what is in flight.
    pub fn clear_waiting(&mut self) {
        self.chats.clear();
        self.uploads.clear_waiters();
    }
}
