//! Who is next: a pure state machine with `now` passed in.
//!
//! Every notification waits in the FIFO of its chat (one per lane, ordered by id); only heads compete. A chat is in one
//! place at a time: idle, ready in the lane of its head, waiting for a moment, waiting for an upload, or in flight. A
//! chat that must wait never holds back another. The bot as a whole has a pace, a freeze and a breaker.

mod chat;
mod rate;

use super::breaker::{Breaker, Gate};
use super::clock::Moment;
use super::uploads::{Admission, Uploads};
use crate::domain::{ChatId, Lane, NotificationId};
use crate::ports::{FileIds, FileKey};
use crate::settings::RateLimits;
use chat::Chat;
use rate::Rate;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Nothing is held unacked for longer than this: what must wait longer goes back to the queue (a broker closes channels
/// that hold a delivery for 30 minutes).
pub const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// Requests under way at a time. A server that holds each for 8 s (hidden flood waits) must not cost the rate of 30/s.
const CONCURRENT: usize = 512;
/// A lower lane that has stood ready while this many from above it went gets a turn: bulk is never starved entirely.
const PATIENCE: [u32; 3] = [u32::MAX, 9, 19];
/// A deferred notification should be back a little before its turn.
const EARLY: Duration = Duration::from_secs(5);

/// What the scheduler knows of a notification.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Its id, and its place in the FIFO of its chat.
    pub id: NotificationId,
    /// Its chat.
    pub chat: ChatId,
    /// Its lane.
    pub lane: Lane,
    /// How many messages it makes.
    pub cost: u32,
    /// The images it needs uploaded, unless their file_ids are known: keys, each once, and sizes in bytes.
    pub images: Vec<(FileKey, u64)>,
}

/// What became of a pushed ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It waits here.
    Taken,
    /// Its chat has more than its share, or must wait for long: put it back until then.
    Defer(Moment),
}

/// The next thing to do.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Send this one now.
    Send(Dispatch),
    /// Nothing can be sent before this moment, or before something ends.
    Wait(Option<Moment>),
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

/// How a dispatched one ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    /// It is final.
    Done,
    /// It is to be tried again after this wait; until then its chat waits too, for the order.
    Again(Duration),
    /// Telegram asked for this wait.
    Flood(Duration),
    /// The chat has moved.
    Migrated(ChatId),
    /// It never left: again after this wait, and its tokens are good for others.
    NotBegun(Duration),
    /// It never left and is not here any more: it was cancelled, or comes back from the queue.
    Skipped,
}

/// The limits, FIFOs and uploads of one bot.
#[derive(Debug)]
pub struct Scheduler {
    limits: RateLimits,
    share: usize,
    rate: Rate,
    /// Gates every send while Telegram is away or refuses the token.
    pub breaker: Breaker,
    /// Who uploads what.
    pub uploads: Uploads,
    chats: HashMap<ChatId, Chat>,
    ready: [VecDeque<(ChatId, u64)>; 3],
    skipped: [u32; 3],
    waiting: BTreeMap<(Moment, u64), ChatId>,
    /// What was dispatched, and the images for whose answer others may wait.
    flying: HashMap<NotificationId, (Ticket, Vec<FileKey>)>,
    stamp: u64,
    prune_at: usize,
}

impl Scheduler {
    /// For a bot with these limits, whose courier holds at most `window` notifications per lane.
    pub fn new(limits: RateLimits, window: u16) -> Self {
        Self {
            rate: Rate::new(limits.bot_rate),
            limits,
            share: usize::from(window / 8).max(4),
            breaker: Breaker::default(),
            uploads: Uploads::default(),
            chats: HashMap::new(),
            ready: Default::default(),
            skipped: [0; 3],
            waiting: BTreeMap::new(),
            flying: HashMap::new(),
            stamp: 0,
            prune_at: 1024,
        }
    }

    /// Takes a ticket in, or says until when its notification should go back to the queue.
    pub fn push(&mut self, now: Moment, ticket: Ticket) -> Push {
        self.prune(now);
        let chat = self.chats.entry(ticket.chat.clone()).or_insert_with(|| Chat::new(&ticket.chat, &self.limits));
        if let Some(until) = chat.should_defer(now, &ticket, self.share) {
            chat.note_deferred(ticket.lane, ticket.id, until);
            return Push::Defer(until - EARLY.min((until - now) / 10));
        }
        let name = ticket.chat.clone();
        chat.insert(now, ticket);
        self.place(now, &name);
        Push::Taken
    }

    /// The next one to send at this moment. Call until it says wait.
    pub fn next(&mut self, now: Moment) -> Next {
        loop {
            if self.flying.len() >= CONCURRENT {
                return Next::Wait(None);
            }
            self.wake(now);
            let Some(lane) = self.pick_lane() else {
                return Next::Wait(self.waiting.keys().next().map(|(at, _)| *at));
            };
            match self.bot_ready_at() {
                Gate::Open => {}
                Gate::At(at) if at <= now => {}
                Gate::At(at) => return Next::Wait(Some(at)),
                Gate::UntilProbed => return Next::Wait(None),
            }
            if let Some(dispatch) = self.dispatch(now, lane) {
                return Next::Send(dispatch);
            }
        }
    }

    /// Ends one that was dispatched. `file_ids`: those its uploads led to, or that the index had.
    pub fn finish(&mut self, now: Moment, id: NotificationId, finish: Finish, mut file_ids: FileIds) {
        let Some((ticket, landing)) = self.flying.remove(&id) else { return };
        for key in landing {
            for chat in self.uploads.land(&key, file_ids.remove(&key)) {
                self.place(now, &chat);
            }
        }
        let name = ticket.chat.clone();
        let Some(chat) = self.chats.get_mut(&name) else { return };
        if let Finish::NotBegun(_) = finish {
            chat.give_back(ticket.cost);
            self.rate.give_back(ticket.cost);
            chat.end_flight(now, 0);
        } else {
            chat.end_flight(now, ticket.cost);
        }
        match finish {
            Finish::Done | Finish::Skipped => {}
            Finish::Again(wait) | Finish::NotBegun(wait) => chat.insert_again(now, ticket, now + wait),
            Finish::Flood(wait) => {
                chat.insert_again(now, ticket, now);
                chat.freeze(now + wait);
                self.rate.flooded(now, &name, now + wait);
            }
            Finish::Migrated(to) => {
                chat.insert_again(now, ticket, now);
                self.migrate(now, &name, to);
                return;
            }
        }
        self.place(now, &name);
    }

    /// Takes out what would have to wait here for longer than [`LONGEST_HOLD`]: the tickets and until when.
    pub fn overlong(&mut self, now: Moment, chat: &ChatId) -> Vec<(NotificationId, Moment)> {
        let Some(found) = self.chats.get_mut(chat) else { return Vec::new() };
        if found.in_flight || found.ready_at(now) <= now + LONGEST_HOLD {
            return Vec::new();
        }
        let out = found.defer_all(now);
        self.place(now, chat);
        out
    }

    /// When a ticket would be sent, as far as can be told now: its place in its chat, the bot's pace, and what they must
    /// wait for. It may be sooner if others are taken back, and later if more urgent ones come.
    pub fn turn(&self, now: Moment, ticket: &Ticket) -> Moment {
        let turn = self.chats.get(&ticket.chat).map_or(now, |chat| chat.turn(now, ticket));
        let before: usize = self.ready[..=ticket.lane as usize].iter().map(VecDeque::len).sum();
        let paced = self.rate.ready_at().max(now) + self.rate.interval() * u32::try_from(before).unwrap_or(u32::MAX);
        let open = match self.breaker.ready_at() {
            Gate::At(at) => at,
            Gate::Open | Gate::UntilProbed => now,
        };
        turn.max(paced).max(open)
    }

    /// Takes one out that is not in flight, because it expired. Returns whether it was here.
    pub fn remove(&mut self, now: Moment, chat: &ChatId, id: NotificationId) -> bool {
        let Some(found) = self.chats.get_mut(chat) else { return false };
        let removed = found.remove(id);
        if removed {
            self.place(now, chat);
        }
        removed
    }

    /// Forgets everything that waits (it comes back from the queue), but not the limits nor what is in flight.
    pub fn clear(&mut self) {
        for chat in self.chats.values_mut() {
            chat.clear();
        }
        self.ready = Default::default();
        self.waiting.clear();
        self.uploads.clear_waiting();
    }

    /// How many wait or fly.
    pub fn len(&self) -> usize {
        self.chats.values().map(Chat::len).sum::<usize>() + self.flying.len()
    }

    /// Whether nothing waits or flies.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bot_ready_at(&self) -> Gate {
        let budget = self.rate.ready_at();
        match self.breaker.ready_at() {
            Gate::Open => Gate::At(budget),
            Gate::At(at) => Gate::At(at.max(budget)),
            Gate::UntilProbed => Gate::UntilProbed,
        }
    }

    /// Sends the head of the first chat of a lane, or finds that it cannot go and puts it where it belongs.
    fn dispatch(&mut self, now: Moment, lane: Lane) -> Option<Dispatch> {
        let (name, _) = self.ready[lane as usize].pop_front()?;
        let chat = self.chats.get_mut(&name)?;
        let head = match chat.head(now) {
            Some(head) if chat.ready_at(now) <= now => head,
            _ => {
                self.place(now, &name);
                return None;
            }
        };
        let file_ids = match self.uploads.admit(now, &head.images) {
            Admission::Go(known) => known,
            Admission::Flying(key) => {
                chat.stamp = 0;
                self.uploads.wait_for(&key, name);
                return None;
            }
            Admission::Crowded => {
                chat.stamp = 0;
                self.uploads.wait_in_crowd(name);
                return None;
            }
            Admission::At(at) => {
                self.wait_until(at, name);
                return None;
            }
        };
        let (ticket, since) = chat.take_head(now)?;
        let landing = self.uploads.start(now, &ticket.images, &file_ids);
        self.rate.take(now, ticket.cost);
        self.breaker.start();
        self.count_lane(lane);
        let dispatch = Dispatch { id: ticket.id, file_ids, waited: now - since };
        self.flying.insert(ticket.id, (ticket, landing));
        Some(dispatch)
    }

    /// Puts a chat where its head belongs.
    fn place(&mut self, now: Moment, name: &ChatId) {
        let Some(chat) = self.chats.get_mut(name) else { return };
        chat.stamp = 0;
        if chat.in_flight || chat.is_empty() {
            return;
        }
        let at = chat.ready_at(now);
        if at > now {
            self.wait_until(at, name.clone());
        } else if let Some(lane) = chat.head(now).map(|head| head.lane) {
            self.stamp += 1;
            chat.stamp = self.stamp;
            self.ready[lane as usize].push_back((name.clone(), self.stamp));
        }
    }

    fn wait_until(&mut self, at: Moment, name: ChatId) {
        self.stamp += 1;
        if let Some(chat) = self.chats.get_mut(&name) {
            chat.stamp = self.stamp;
            self.waiting.insert((at, self.stamp), name);
        }
    }

    /// Moves chats whose moment has come to their lanes.
    fn wake(&mut self, now: Moment) {
        while let Some(entry) = self.waiting.first_entry() {
            let (at, stamp) = *entry.key();
            if at > now {
                break;
            }
            let name = entry.remove();
            if self.chats.get(&name).is_some_and(|chat| chat.stamp == stamp) {
                self.place(now, &name);
            }
        }
    }

    /// The lane to serve: the highest with a ready chat, unless a lower one has been patient for too long.
    fn pick_lane(&mut self) -> Option<Lane> {
        for lane in Lane::ALL {
            let queue = &mut self.ready[lane as usize];
            while queue
                .front()
                .is_some_and(|(name, stamp)| self.chats.get(name).is_none_or(|chat| chat.stamp != *stamp))
            {
                queue.pop_front();
            }
        }
        let is_ready = |lane: &Lane| !self.ready[*lane as usize].is_empty();
        let starved = |lane: &Lane| is_ready(lane) && self.skipped[*lane as usize] >= PATIENCE[*lane as usize];
        let patient = [Lane::Bulk, Lane::Normal].into_iter().find(starved);
        patient.or_else(|| Lane::ALL.into_iter().find(is_ready))
    }

    fn count_lane(&mut self, served: Lane) {
        for lane in Lane::ALL {
            let index = lane as usize;
            self.skipped[index] = match lane == served || self.ready[index].is_empty() {
                true => 0,
                false => self.skipped[index].saturating_add(1),
            };
        }
    }

    /// Moves everything that waits for a chat to the chat's new id.
    fn migrate(&mut self, now: Moment, from: &ChatId, to: ChatId) {
        let Some(mut old) = self.chats.remove(from) else { return };
        let target = self.chats.entry(to.clone()).or_insert_with(|| Chat::new(&to, &self.limits));
        for mut ticket in old.take_all() {
            ticket.chat = to.clone();
            target.insert(now, ticket);
        }
        self.place(now, &to);
    }

    /// Forgets chats with which nothing is left to do and whose limits have recovered.
    fn prune(&mut self, now: Moment) {
        if self.chats.len() >= self.prune_at {
            self.chats.retain(|_, chat| !chat.is_forgettable(now));
            self.prune_at = (self.chats.len() * 2).max(1024);
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tests;
