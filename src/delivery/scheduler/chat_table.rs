//! All chats of a bot, and the lists of those whose turn can come: ready ones by lane, waiting ones by moment.

use super::chat_queue::{ChatQueue, DeferredJob};
use super::job::SendJob;
use super::lane_load::{LaneDemand, Share};
use super::ready_lane::ReadyLane;
use crate::delivery::mono_time::MonoTime;
use crate::domain::{ChatId, Lane};
use crate::settings::RateLimits;
use lru::LruCache;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::time::Duration;

/// A lower lane that has stood ready while this many sends from above it went gets a turn, by lane: bulk is never
/// starved entirely.
const MAX_PASSED_OVER: [u32; 3] = [u32::MAX, 9, 19];
/// How many migrations of chats are remembered.
const MAX_MIGRATIONS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// How many chats there are before the idle ones are forgotten.
const MIN_CHATS_TO_PRUNE: usize = 1024;

/// The chats of one bot.
#[derive(Debug)]
pub(super) struct ChatTable {
    limits: RateLimits,
    chats: HashMap<ChatId, Box<ChatQueue>>,
    /// Chats that may send now, by lane. An entry counts only while its stamp is its chat's.
    ready: [ReadyLane; 3],
    /// Chats that may send from a moment on. An entry counts only while its stamp is its chat's.
    waiting: BTreeMap<(MonoTime, u64), ChatId>,
    /// For how many sends each lane has been passed over.
    passed_over: [u32; 3],
    last_stamp: u64,
    prune_at: usize,
    /// Before this somebody else may have sent.
    taken_over_at: MonoTime,
    /// What all chats have to send, by lane.
    demand: [LaneDemand; 3],
    /// To which chat one has migrated.
    migrations: LruCache<ChatId, ChatId>,
    /// The chats that are paused, whether they are here or not.
    paused: HashSet<ChatId>,
    /// The chats in which more than one waits, by lane, and some in which no longer does: no others hold more than a share.
    several: [HashSet<ChatId>; 3],
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
            taken_over_at: MonoTime::default(),
            demand: Default::default(),
            migrations: LruCache::new(MAX_MIGRATIONS),
            paused: HashSet::new(),
            several: Default::default(),
        }
    }

    /// The chat that this one is now.
    pub fn current(&self, name: &ChatId) -> Option<&ChatId> {
        self.migrations.peek(name)
    }

    /// Begins anew at a moment up to which somebody else may have sent.
    pub fn take_over(&mut self, at: MonoTime) {
        self.taken_over_at = at;
        self.chats.values_mut().for_each(|chat| chat.limiter_mut().take_over(at));
    }

    pub fn get(&self, name: &ChatId) -> Option<&ChatQueue> {
        self.chats.get(name).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, name: &ChatId) -> Option<&mut ChatQueue> {
        self.chats.get_mut(name).map(Box::as_mut)
    }

    /// The chat of this name, new if it is not here.
    pub fn get_or_insert(&mut self, name: &ChatId) -> &mut ChatQueue {
        self.chats.entry(name.clone()).or_insert_with(|| {
            let mut chat = Box::new(ChatQueue::new(name, &self.limits));
            chat.limiter_mut().take_over(self.taken_over_at);
            chat.is_paused = self.paused.contains(name);
            chat
        })
    }

    /// Lets these chats be paused, and no others.
    pub fn set_paused(&mut self, now: MonoTime, paused: HashSet<ChatId>) {
        let before = std::mem::replace(&mut self.paused, paused);
        let changed: Vec<_> = before.symmetric_difference(&self.paused).cloned().collect();
        for name in changed {
            if let Some(chat) = self.chats.get_mut(&name) {
                chat.is_paused = self.paused.contains(&name);
                self.place(now, &name);
            }
        }
    }

    /// Whether a chat is paused.
    pub fn is_paused(&self, name: &ChatId) -> bool {
        self.paused.contains(name)
    }

    /// The paused chats that are here, in the order of their names.
    pub fn paused_here(&self) -> Vec<ChatId> {
        let mut here: Vec<_> = self.paused.iter().filter(|name| self.chats.contains_key(name)).cloned().collect();
        here.sort_unstable();
        here
    }

    /// Puts a chat where its head belongs. One that stands there already keeps its place: what arrives for it must not
    /// send it behind the others.
    pub fn place(&mut self, now: MonoTime, name: &ChatId) {
        let Some(chat) = self.chats.get_mut(name) else { return };
        let is_fresh = chat.count_demand(&mut self.demand);
        for lane in Lane::ALL.into_iter().filter(|lane| chat.has_several(*lane)) {
            self.several[lane as usize].insert(name.clone());
        }
        let stands_in = chat.ready_in.take();
        let stood = std::mem::take(&mut chat.stamp);
        if chat.in_flight || chat.is_paused || chat.is_empty() {
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
            let ready = &mut self.ready[lane as usize];
            ready.push(name.clone(), self.last_stamp, is_fresh);
            if ready.len() > 2 * self.chats.len() {
                ready.retain(|(name, stamp)| self.chats.get(name).is_some_and(|chat| chat.stamp == *stamp));
            }
        }
    }

    /// Whether a chat stands among those that may send.
    pub fn stands_ready(&self, name: &ChatId) -> bool {
        self.chats.get(name).is_some_and(|chat| chat.ready_in.is_some())
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
        for lane in &mut self.ready {
            lane.drop_outdated(|(name, stamp)| self.chats.get(name).is_some_and(|chat| chat.stamp == *stamp));
        }
        let is_ready = |lane: &Lane| !self.ready[*lane as usize].is_empty();
        let is_starved =
            |lane: &Lane| is_ready(lane) && self.passed_over[*lane as usize] >= MAX_PASSED_OVER[*lane as usize];
        let starved = [Lane::Bulk, Lane::Normal].into_iter().find(is_starved);
        starved.or_else(|| Lane::ALL.into_iter().find(is_ready))
    }

    /// Takes the first ready chat out of a lane; it is in no list then.
    pub fn pop_ready(&mut self, lane: Lane) -> Option<ChatId> {
        let name = self.ready[lane as usize].pop()?;
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

    /// How many chats are ready in a lane and those above it that go before one more, which has had nothing to send or has.
    pub fn ready_before(&self, lane: Lane, is_fresh: bool) -> usize {
        let counts = |(name, stamp): &(ChatId, u64)| self.chats.get(name).is_some_and(|chat| chat.stamp == *stamp);
        self.ready[..=lane as usize].iter().map(|ready| ready.count_before(is_fresh, counts)).sum()
    }

    /// Moves everything that waits for a chat to the chat's new id, and what arrives for it later too.
    pub fn migrate(&mut self, now: MonoTime, from: &ChatId, to: ChatId) {
        if *from == to {
            return self.place(now, &to);
        }
        // Whoever has moved on to the old name, and so on, goes there too: a circle ends here.
        self.migrations.pop(&to);
        for (_, target) in self.migrations.iter_mut().filter(|(_, target)| *target == from) {
            *target = to.clone();
        }
        self.migrations.put(from.clone(), to.clone());
        if self.paused.contains(from) {
            // The ledger says so too; that news is on its way.
            self.paused.insert(to.clone());
        }
        if let Some(mut old) = self.chats.remove(from) {
            old.stop_counting(&mut self.demand);
            let moved = match self.chats.remove(&to) {
                Some(mut known) => {
                    known.absorb(now, *old, &to);
                    known
                }
                None => Box::new(old.renamed(now, &to, &self.limits)),
            };
            self.chats.insert(to.clone(), moved);
        }
        let is_paused = self.paused.contains(&to);
        if let Some(chat) = self.chats.get_mut(&to) {
            chat.is_paused = is_paused;
        }
        self.place(now, &to);
    }

    /// Forgets what waits in all chats, but not their rate limits.
    pub fn clear(&mut self) {
        self.chats.values_mut().for_each(|chat| chat.clear());
        self.ready = Default::default();
        self.waiting.clear();
        self.demand = Default::default();
        self.several = Default::default();
    }

    /// Forgets chats with which nothing is left to do and whose rate limits have recovered.
    pub fn prune(&mut self, now: MonoTime) {
        if self.chats.len() >= self.prune_at {
            let demand = &mut self.demand;
            self.chats.retain(|_, chat| {
                let forget = chat.is_forgettable(now);
                chat.count_demand(demand);
                !forget
            });
            for (lane, several) in Lane::ALL.into_iter().zip(&mut self.several) {
                several.retain(|name| self.chats.get(name).is_some_and(|chat| chat.has_several(lane)));
            }
            self.prune_at = (self.chats.len() * 2).max(MIN_CHATS_TO_PRUNE);
        }
    }

    /// What all chats have to send in a lane.
    pub fn demand(&self, lane: Lane) -> LaneDemand {
        self.demand[lane as usize]
    }

    /// The same once this chat has something to send in it.
    pub fn demand_with(&self, lane: Lane, name: &ChatId) -> LaneDemand {
        let is_counted = self.chats.get(name).is_some_and(|chat| chat.is_counted(lane));
        let demand = self.demand(lane);
        LaneDemand { chats: demand.chats + usize::from(!is_counted), ..demand }
    }

    /// Takes out what chats hold of a lane beyond their shares, the last of each chat first, to go back to the queue.
    pub fn shed(&mut self, now: MonoTime, lane: Lane, share: Share) -> Vec<(SendJob, DeferredJob)> {
        let mut out = Vec::new();
        self.several[lane as usize].retain(|name| {
            let Some(chat) = self.chats.get_mut(name) else { return false };
            chat.shed(now, lane, share, &mut out);
            chat.has_several(lane)
        });
        out
    }

    /// The chats that flood waits keep from being written to, and for how long.
    pub fn frozen(&self, now: MonoTime) -> Vec<(ChatId, Duration)> {
        let waits = self.chats.iter().map(|(name, chat)| (name, chat.frozen_until() - now));
        waits.filter(|(_, wait)| *wait > Duration::ZERO).map(|(name, wait)| (name.clone(), wait)).collect()
    }

    /// How many chats are slowed down for having been written to too fast.
    pub fn slowed(&self, now: MonoTime) -> usize {
        self.chats.values().filter(|chat| chat.is_slowed(now)).count()
    }

    /// How many wait in all chats.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.chats.values().map(|chat| chat.len()).sum()
    }
}
