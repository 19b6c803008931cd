//! The scheduler of one bot: which notification is sent next, and when.

use super::chat_queue::{ChatQueue, DeferredJob};
use super::chat_table::ChatTable;
use super::job::{MAX_HOLD, Place, SendJob};
use super::lane_load::LaneLoad;
use crate::delivery::circuit_breaker::{CircuitBreaker, SendGate};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::delivery::rate_limit::{BOT_SPAN, BotRateLimiter};
use crate::delivery::single_flight::{SingleFlight, UploadAdmission};
use crate::domain::{ChatId, Lane, NotificationId};
use crate::ports::{FileIds, FileKey};
use crate::settings::RateLimits;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Requests under way at a time. A server that holds each for 8 s (hidden flood waits) must not cost the rate of 30/s.
const MAX_IN_FLIGHT: usize = 512;
/// Of these no more than so many bytes of notifications begin: each takes several times its size while it is sent.
const MAX_BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;
/// A deferred notification should be back a little before its turn: by this, or by a tenth of the time until then, whichever
/// is less.
const MAX_DEFER_LEAD: Duration = Duration::from_secs(5);
/// For how long what waits for a part of ours goes back to the queue, when it would fill the window.
const AWAIT_PART_IN_QUEUE: Duration = Duration::from_secs(30);

/// What became of a job that was to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueResult {
    /// It waits here.
    Enqueued,
    /// Its chat has more than its share, or must wait for long: put it back into the queue until then.
    Defer(DeferredJob),
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
    /// For how long its chat must not be written to once it is sent, as far as the chat's rate goes.
    pub then_pause: Duration,
}

/// The rate limits, FIFOs and uploads of one bot.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) load: LaneLoad,
    pub(super) rate: BotRateLimiter,
    /// Keeps every send back while Telegram is down or refuses the token.
    pub breaker: CircuitBreaker,
    /// Who uploads what.
    pub uploads: SingleFlight,
    pub(super) chats: ChatTable,
    /// What was dispatched.
    pub(super) in_flight: HashMap<NotificationId, InFlight>,
    bytes_in_flight: usize,
    /// What waits because a part of ours is away.
    awaiting_part: BTreeMap<NotificationId, (ChatId, Lane, Place)>,
    /// Somebody has paused the bot: nothing is dispatched.
    pub(super) is_paused: bool,
}

/// One that was dispatched.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) job: SendJob,
    /// The number of its arrival in its chat.
    number: u64,
    /// The images that it uploads.
    uploading: Vec<FileKey>,
}

impl Scheduler {
    /// For a bot with these limits, whose courier holds at most `window` notifications per lane.
    pub fn new(limits: RateLimits, window: u16) -> Self {
        Self {
            load: LaneLoad::new(window),
            rate: BotRateLimiter::new(limits.bot_rate),
            breaker: CircuitBreaker::default(),
            uploads: SingleFlight::default(),
            chats: ChatTable::new(limits),
            in_flight: HashMap::new(),
            bytes_in_flight: 0,
            awaiting_part: BTreeMap::new(),
            is_paused: false,
        }
    }

    /// The chat to which this one has migrated, if it has.
    pub fn current_chat(&self, chat: &ChatId) -> Option<&ChatId> {
        self.chats.current(chat)
    }

    /// Takes a job in, or says until when its notification should go back to the queue.
    pub fn enqueue(&mut self, now: MonoTime, job: SendJob) -> EnqueueResult {
        self.chats.prune(now);
        let (name, lane, bytes) = (job.chat.clone(), job.lane, job.bytes);
        let share = self.load.share(lane, self.chats.demand_with(lane, &name), self.rate.interval());
        let admitted = self.chats.get_or_insert(&name).admit(now, job, share);
        // One that comes back may let those go that have waited for it, even if it goes back once more.
        self.chats.place(now, &name);
        match admitted {
            Ok(()) => {
                self.load.add(lane, bytes);
                EnqueueResult::Enqueued
            }
            Err(deferred) => EnqueueResult::Defer(with_lead(now, deferred)),
        }
    }

    /// Takes out what chats hold beyond their shares, when the window fills, and if it is still full then, what waits for a part of
    /// ours or is paused: it is to go back to the queue.
    pub fn shed(&mut self, now: MonoTime) -> Vec<DeferredJob> {
        let mut out = Vec::new();
        for lane in Lane::ALL {
            if !self.load.is_crowded(lane) {
                continue;
            }
            let share = self.load.share(lane, self.chats.demand(lane), self.rate.interval());
            for (job, deferred) in self.chats.shed(now, lane, share) {
                self.load.remove(job.lane, job.bytes);
                self.awaiting_part.remove(&job.id);
                out.push(with_lead(now, deferred));
            }
            self.shed_awaiting_part(now, lane, &mut out);
            self.shed_paused(now, lane, &mut out);
        }
        out
    }

    fn shed_awaiting_part(&mut self, now: MonoTime, lane: Lane, out: &mut Vec<DeferredJob>) {
        let waiting = self.awaiting_part.iter().rev().filter(|(_, (_, of, _))| *of == lane);
        let waiting: Vec<_> = waiting.map(|(id, (name, _, place))| (*id, name.clone(), *place)).collect();
        for (id, name, place) in waiting {
            if !self.load.is_crowded(lane) {
                return;
            }
            self.awaiting_part.remove(&id);
            let Some(chat) = self.chats.get_mut(&name) else { continue };
            if let Some((job, number)) = chat.defer(now, lane, place, now + AWAIT_PART_IN_QUEUE) {
                self.load.remove(job.lane, job.bytes);
                self.chats.place(now, &name);
                out.push(DeferredJob { id, until: now + AWAIT_PART_IN_QUEUE, number });
            }
        }
    }

    /// The next one to send at this moment. Call until it says wait.
    pub fn next(&mut self, now: MonoTime) -> NextSend {
        if self.is_paused {
            return NextSend::Wait(None);
        }
        loop {
            if self.in_flight.len() >= MAX_IN_FLIGHT || self.bytes_in_flight >= MAX_BYTES_IN_FLIGHT {
                return NextSend::Wait(None);
            }
            self.chats.wake(now);
            while let Some(name) = self.uploads.call_up(|name| self.chats.stands_ready(name)) {
                self.chats.place(now, &name);
            }
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
            UploadAdmission::AtCapacity(key) => {
                self.uploads.wait_for_capacity(lane, key, name);
                return None;
            }
            UploadAdmission::NotBefore(at) => {
                self.chats.wait_until(at, name);
                return None;
            }
        };
        let (number, job, since) = chat.take_head(now)?;
        let then_pause = chat.limiter_mut().pause_after(now, job.cost);
        let uploading = self.uploads.start(now, &job.images, &file_ids);
        self.uploads.has_sent(&name);
        self.rate.take(now, job.cost);
        self.breaker.record_start();
        self.chats.record_served(lane);
        let dispatch = Dispatch { id: job.id, file_ids, waited: now - since, then_pause };
        self.awaiting_part.remove(&job.id);
        self.bytes_in_flight += job.bytes;
        self.in_flight.insert(job.id, InFlight { job, number, uploading });
        Some(dispatch)
    }

    /// Ends one that was dispatched. `file_ids`: those its uploads led to, or that the index had. `has_left`: whether a
    /// request may have reached Telegram; if not, its tokens are good for another.
    pub fn finish(&mut self, now: MonoTime, id: NotificationId, step: NextStep, mut file_ids: FileIds, has_left: bool) {
        let Some(InFlight { job, number, uploading }) = self.in_flight.remove(&id) else { return };
        self.bytes_in_flight -= job.bytes;
        for key in uploading {
            for waiter in self.uploads.finish(&key, file_ids.remove(&key)) {
                self.chats.place(now, &waiter);
            }
        }
        if !has_left {
            self.rate.give_back(job.cost);
        }
        if let NextStep::Done | NextStep::Abandon = step {
            self.load.remove(job.lane, job.bytes);
        }
        let name = job.chat.clone();
        let Some(chat) = self.chats.get_mut(&name) else { return };
        chat.end_flight(now, job.cost, has_left);
        match step {
            NextStep::Done | NextStep::Abandon => {}
            NextStep::Retry(pause) | NextStep::Postpone(pause) | NextStep::Paused(pause) => {
                chat.insert(now, number, job, now + pause);
            }
            NextStep::AwaitPart(pause) => {
                self.awaiting_part.insert(id, (name.clone(), job.lane, job.place));
                chat.insert(now, number, job, now + pause);
            }
            NextStep::FloodWait(wait) => {
                chat.insert(now, number, job, now);
                chat.limiter_mut().freeze(now + wait);
                chat.limiter_mut().slow_down(now, now + wait);
                self.rate.record_flood(now, &name, now + wait);
            }
            NextStep::TooSoon(wait) => {
                chat.insert(now, number, job, now);
                // The owner before has used up the burst.
                chat.limiter_mut().freeze(now + wait);
                chat.limiter_mut().take_over(now + wait);
            }
            NextStep::Migrate(to) => {
                chat.insert(now, number, job, now);
                return self.chats.migrate(now, &name, to);
            }
        }
        self.chats.place(now, &name);
    }

    /// Lets those go that wait for a part of ours: it is back. The ones there were.
    pub fn wake_awaiting_part(&mut self, now: MonoTime) -> usize {
        let waiting = std::mem::take(&mut self.awaiting_part);
        for (name, lane, place) in waiting.values() {
            if let Some(chat) = self.chats.get_mut(name) {
                chat.wake(now, *lane, *place);
                self.chats.place(now, name);
            }
        }
        waiting.len()
    }

    /// How many of a lane have gone back to the queue until their turn, as far as is known here.
    pub fn deferred(&self, lane: Lane) -> u64 {
        self.chats.demand(lane).deferred
    }

    /// It does not wait here for a part of ours any more.
    pub(super) fn forget_awaiting_part(&mut self, id: NotificationId) {
        self.awaiting_part.remove(&id);
    }

    /// Whether any wait because a part of ours is away.
    pub fn is_awaiting_part(&self) -> bool {
        !self.awaiting_part.is_empty()
    }

    /// Takes out what would have to wait here for longer than [`MAX_HOLD`], to go back to the queue.
    pub fn take_long_waiting(&mut self, now: MonoTime, chat: &ChatId) -> Vec<DeferredJob> {
        let Some(found) = self.chats.get_mut(chat) else { return Vec::new() };
        if found.in_flight || found.ready_at(now) <= now + MAX_HOLD {
            return Vec::new();
        }
        let out = found.defer_all(now);
        self.chats.place(now, chat);
        let left = out.into_iter().map(|(job, deferred)| {
            self.load.remove(job.lane, job.bytes);
            with_lead(now, deferred)
        });
        left.collect()
    }

    /// Takes one out that is not in flight, to go back to the queue until a moment.
    pub fn defer(&mut self, now: MonoTime, job: &SendJob, until: MonoTime) -> Option<DeferredJob> {
        let (taken, number) = self.chats.get_mut(&job.chat)?.defer(now, job.lane, job.place, until)?;
        self.load.remove(taken.lane, taken.bytes);
        self.chats.place(now, &job.chat);
        Some(DeferredJob { id: job.id, until, number })
    }

    /// When a job would be sent, as far as can be told now: its place in its chat, the bot's rate, and what they must
    /// wait for. It may be sooner if others are taken back, and later if more urgent ones come.
    pub fn estimate_turn(&self, now: MonoTime, job: &SendJob) -> MonoTime {
        let in_chat = self.chats.get(&job.chat).map_or(now, |chat| chat.estimate_turn(now, job));
        let is_fresh = self.chats.get(&job.chat).is_none_or(ChatQueue::is_idle);
        let before = u32::try_from(self.chats.ready_before(job.lane, is_fresh)).unwrap_or(u32::MAX);
        let in_bot = self.rate.ready_at().max(now) + self.rate.interval() * before;
        let in_bot = in_bot.max(now + self.pause_estimate(&job.chat));
        match self.breaker.gate() {
            SendGate::ProbeAt(at) => in_chat.max(in_bot).max(at),
            SendGate::Now | SendGate::AfterProbe => in_chat.max(in_bot),
        }
    }

    /// Takes one out that is not in flight, because it has ended.
    pub fn remove(&mut self, now: MonoTime, job: &SendJob) {
        self.awaiting_part.remove(&job.id);
        let Some(chat) = self.chats.get_mut(&job.chat) else { return };
        if let Some(removed) = chat.remove(job) {
            self.load.remove(removed.lane, removed.bytes);
        }
        self.chats.place(now, &job.chat);
    }

    /// Notes that one is back from the queue that is not taken in: a copy of another.
    pub fn note_return(&mut self, now: MonoTime, job: &SendJob) {
        let chat = self.chats.current(&job.chat).unwrap_or(&job.chat).clone();
        if let Some(found) = self.chats.get_mut(&chat) {
            found.note_return(job);
            self.chats.place(now, &chat);
        }
    }

    /// Begins as a new owner of the bot, who does not know what the one before has sent: with a second of silence, and
    /// without a burst, neither of the bot nor of a chat.
    pub fn take_over(&mut self, now: MonoTime) {
        self.rate.take_over(now + BOT_SPAN);
        self.chats.take_over(now + BOT_SPAN);
    }

    /// Forgets everything that waits (it comes back from the queue), but not the rate limits nor what is in flight.
    pub fn clear_waiting(&mut self) {
        self.chats.clear();
        self.uploads.clear_waiters();
        self.awaiting_part.clear();
        self.load.clear();
        for in_flight in self.in_flight.values() {
            self.load.add(in_flight.job.lane, in_flight.job.bytes);
        }
    }

    /// The part of its configured rate that the bot keeps now, and how many chats are slowed, after flood waits.
    pub fn pace(&self, now: MonoTime) -> (f64, usize) {
        (self.rate.pace(now), self.chats.slowed(now))
    }
}

/// Deferred so that it is back a little before its turn.
fn with_lead(now: MonoTime, deferred: DeferredJob) -> DeferredJob {
    let lead = MAX_DEFER_LEAD.min((deferred.until - now) / 10);
    DeferredJob { until: deferred.until - lead, ..deferred }
}
