//! All chats of a bot, and the lists of those whose turn can come: ready ones by lane, waiting ones by moment.

use super::chat_queue::ChatQueue;
use super::job::SendJob;
use crate::delivery::mono_time::MonoTime;
use crate::domain::{ChatId, Lane};
use crate::settings::RateLimits;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A lower lane that has stood ready while this many sends from above it went gets a turn, by lane: bulk is never
/// starved entirely.
const MAX_PASSED_OVER: [u32; 3] = [u32::MAX, 9, 19];
/// How many chats there are before the idle ones are forgotten.
const MIN_CHATS_TO_PRUNE: usize = 1024;

/// The chats of one bot.
#[derive(Debug)]
pub(super) struct ChatTable {
    limits: RateLimits,
    chats: HashMap<ChatId, ChatQueue>,
    /// Chats that may send now, by lane, first come first served. An entry counts only while its stamp is its chat's.
    ready: [VecDeque<(ChatId, u64)>; 3],
    /// Chats that may send from a moment on. An entry counts only while its stamp is its chat's.
    waiting: BTreeMap<(MonoTime, u64), ChatId>,
    /// For how many sends each lane has been passed over.
    passed_over: [u32; 3],
    last_stamp: u64,
    prune_at: usize,
}

impl ChatTable {
    pub fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            chats: HashMap::new(),
            ready: Default::default(),
            waiting: BTreeMap::new(),
            passed_over: [0; 3],
            last_stamp: 0,
            prune_at: MIN_CHATS_TO_PRUNE,
        }
    }

    pub fn get(&self, name: &ChatId) -> Option<&ChatQueue> {
        self.chats.get(name)
    }

    pub fn get_mut(&mut self, name: &ChatId) -> Option<&mut ChatQueue> {
        self.chats.get_mut(name)
    }

    /// The chat of this name, new if it is not here.
    pub fn get_or_insert(&mut self, name: &ChatId) -> &mut ChatQueue {
        self.chats.entry(name.clone()).or_insert_with(|| ChatQueue::new(name, &self.limits))
    }

    /// Puts a chat where its head belongs. One that stands there already keeps its place: what arrives for it must not
    /// send it behind the others.
    pub fn place(&mut self, now: MonoTime, name: &ChatId) {
        let Some(chat) = self.chats.get_mut(name) else { return };
        let stands_in = chat.ready_in.take();
        let stood = std::mem::take(&mut chat.stamp);
        if chat.in_flight || chat.is_empty() {
            return;
        }
        let at = chat.ready_at(now);
        if at > now {
            self.wait_until(at, name.clone());
        } else if let Some(lane) = chat.head(now).map(|head| head.lane) {
            chat.ready_in = Some(lane);
            if stands_in == Some(lane) {
                chat.stamp = stood;
                return;
            }
            self.last_stamp += 1;
            chat.stamp = self.last_stamp;
            self.ready[lane as usize].push_back((name.clone(), self.last_stamp));
        }
    }

    /// Lets a chat wait for a moment.
    pub fn wait_until(&mut self, at: MonoTime, name: ChatId) {
        self.last_stamp += 1;
        if let Some(chat) = self.chats.get_mut(&name) {
            (chat.stamp, chat.ready_in) = (self.last_stamp, None);
            self.waiting.insert((at, self.last_stamp), name);
        }
    }

    /// Moves chats whose moment has come to their lanes.
    pub fn wake(&mut self, now: MonoTime) {
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

    /// When the next chat that waits for a moment may be ready.
    pub fn next_wake(&self) -> Option<MonoTime> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// The lane to serve: the highest with a ready chat, unless a lower one has been passed over too often.
    pub fn pick_lane(&mut self) -> Option<Lane> {
        for queue in &mut self.ready {
            while queue
                .front()
                .is_some_and(|(name, stamp)| self.chats.get(name).is_none_or(|chat| chat.stamp != *stamp))
            {
                queue.pop_front();
            }
        }
        let is_ready = |lane: &Lane| !self.ready[*lane as usize].is_empty();
        let is_starved =
            |lane: &Lane| is_ready(lane) && self.passed_over[*lane as usize] >= MAX_PASSED_OVER[*lane as usize];
        let starved = [Lane::Bulk, Lane::Normal].into_iter().find(is_starved);
        starved.or_else(|| Lane::ALL.into_iter().find(is_ready))
    }

    /// Takes the first ready chat out of a lane; it is in no list then.
    pub fn pop_ready(&mut self, lane: Lane) -> Option<ChatId> {
        let (name, _) = self.ready[lane as usize].pop_front()?;
        let chat = self.chats.get_mut(&name)?;
        (chat.stamp, chat.ready_in) = (0, None);
        Some(name)
    }

    /// Records that a lane was served.
    pub fn record_served(&mut self, served: Lane) {
        for lane in Lane::ALL {
            let index = lane as usize;
            self.passed_over[index] = match lane == served || self.ready[index].is_empty() {
                true => 0,
                false => self.passed_over[index].saturating_add(1),
            };
        }
    }

    /// How many chats are ready in a lane and those above it.
    pub fn ready_up_to(&self, lane: Lane) -> usize {
        self.ready[..=lane as usize].iter().map(VecDeque::len).sum()
    }

    /// Moves everything that waits for a chat to the chat's new id.
    pub fn migrate(&mut self, now: MonoTime, from: &ChatId, to: ChatId) {
        let Some(mut old) = self.chats.remove(from) else { return };
        let target = self.get_or_insert(&to);
        for job in old.take_all() {
            target.insert(now, SendJob { chat: to.clone(), ..job }, now);
        }
        self.place(now, &to);
    }

    /// Forgets what waits in all chats, but not their rate limits.
    pub fn clear(&mut self) {
        self.chats.values_mut().for_each(ChatQueue::clear);
        self.ready = Default::default();
        self.waiting.clear();
    }

    /// Forgets chats with which nothing is left to do and whose rate limits have recovered.
    pub fn prune(&mut self, now: MonoTime) {
        if self.chats.len() >= self.prune_at {
            self.chats.retain(|_, chat| !chat.is_forgettable(now));
            self.prune_at = (self.chats.len() * 2).max(MIN_CHATS_TO_PRUNE);
        }
    }

    /// How many wait in all chats.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.chats.values().map(ChatQueue::len).sum()
    }
}
