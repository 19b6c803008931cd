//! The counters of what happened.

use super::message::{MediaOrigin, SandboxMessage};
use crate::domain::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// The counters, since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxStats {
    /// Calls by method, refused ones included.
    pub requests: BTreeMap<String, u64>,
    /// Messages accepted; an album counts its items.
    pub sends: u64,
    /// Messages accepted (and edits) whose bytes were in the request.
    pub uploads: u64,
    /// The bytes of those.
    pub upload_bytes: u64,
    /// Bytes of all files received, also with requests that were refused.
    pub received_bytes: u64,
    /// Messages accepted by file_id: uploads that were not needed.
    pub by_file_id: u64,
    /// Messages accepted by URL.
    pub by_url: u64,
    /// Different contents among the uploads, exact up to a million.
    pub distinct_contents: u64,
    /// Edits accepted.
    pub edits: u64,
    /// Messages deleted.
    pub deletes: u64,
    /// Requests refused with 429, those on demand included.
    pub too_many_requests: u64,
    /// Requests that came although their chat had been told to wait.
    pub violations: u64,
    /// Faults on demand that fired.
    pub faults: u64,
    /// By the bot's id.
    pub bots: BTreeMap<u64, SandboxBotStats>,
}

/// The counters of one bot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxBotStats {
    /// Messages accepted.
    pub sends: u64,
    /// Among them those whose bytes were in the request.
    pub uploads: u64,
    /// Requests refused with 429.
    pub too_many_requests: u64,
    /// Requests that came although their chat had been told to wait.
    pub violations: u64,
    /// The most messages in any one second.
    pub max_per_second: u64,
    /// The most messages to one chat in any one second.
    pub max_per_second_per_chat: u64,
    /// The most messages to one group or channel in any 60 seconds.
    pub max_per_minute_per_group: u64,
}

/// So many different contents are counted exactly.
const MAX_DIGESTS: usize = 1_000_000;
/// Windows at rest are forgotten when there are more than this.
const CHATS_BEFORE_SWEEP: usize = 50_000;

/// The counters and what is needed to go on counting.
#[derive(Default)]
pub struct StatsCounters {
    stats: SandboxStats,
    contents: HashSet<Sha256>,
    seconds: HashMap<u64, VecDeque<f64>>,
    chats: HashMap<(u64, i64), ChatWindows>,
    sweep_at: usize,
}

#[derive(Default)]
struct ChatWindows {
    second: VecDeque<f64>,
    minute: VecDeque<f64>,
}

impl StatsCounters {
    pub fn snapshot(&self) -> SandboxStats {
        SandboxStats { distinct_contents: self.contents.len() as u64, ..self.stats.clone() }
    }

    pub fn request(&mut self, method: &str) {
        match self.stats.requests.get_mut(method) {
            Some(count) => *count += 1,
            None => drop(self.stats.requests.insert(method.to_owned(), 1)),
        }
    }

    pub fn received(&mut self, bytes: u64) {
        self.stats.received_bytes += bytes;
    }

    pub fn fault(&mut self) {
        self.stats.faults += 1;
    }

    pub fn deleted(&mut self, messages: u64) {
        self.stats.deletes += messages;
    }

    pub fn refused(&mut self, bot: u64, violation: bool) {
        let bot = self.stats.bots.entry(bot).or_default();
        bot.too_many_requests += 1;
        bot.violations += u64::from(violation);
        self.stats.too_many_requests += 1;
        self.stats.violations += u64::from(violation);
    }

    pub fn edited(&mut self, message: &SandboxMessage, media: bool) {
        self.stats.edits += 1;
        if media {
            self.media(message);
        }
    }

    /// Counts an accepted message, at `now` seconds.
    pub fn sent(&mut self, now: f64, message: &SandboxMessage) {
        self.stats.sends += 1;
        self.media(message);
        self.sweep(now);
        let bot = self.stats.bots.entry(message.bot).or_default();
        bot.sends += 1;
        bot.max_per_second =
            bot.max_per_second.max(count_within(self.seconds.entry(message.bot).or_default(), now, 1.0));
        let chat = self.chats.entry((message.bot, message.chat_id)).or_default();
        bot.max_per_second_per_chat = bot.max_per_second_per_chat.max(count_within(&mut chat.second, now, 1.0));
        if message.chat_id < 0 {
            bot.max_per_minute_per_group = bot.max_per_minute_per_group.max(count_within(&mut chat.minute, now, 60.0));
        }
    }

    fn media(&mut self, message: &SandboxMessage) {
        let Some(media) = &message.media else { return };
        match media.how {
            MediaOrigin::Upload => {
                self.stats.uploads += 1;
                self.stats.upload_bytes += media.bytes;
                self.stats.bots.entry(message.bot).or_default().uploads += 1;
                if self.contents.len() < MAX_DIGESTS {
                    self.contents.insert(media.sha256);
                }
            }
            MediaOrigin::FileId => self.stats.by_file_id += 1,
            MediaOrigin::Url => self.stats.by_url += 1,
        }
    }

    fn sweep(&mut self, now: f64) {
        if self.chats.len() > self.sweep_at.max(CHATS_BEFORE_SWEEP) {
            let recent = |times: &VecDeque<f64>, span: f64| times.back().is_some_and(|at| *at > now - span);
            self.chats.retain(|_, chat| recent(&chat.second, 1.0) || recent(&chat.minute, 60.0));
            self.sweep_at = self.chats.len() * 2;
        }
    }
}

/// Adds a message to a sliding window of `span` seconds and says how many it holds; the window is half-open, so a second
/// holds one of two that are exactly a second apart.
fn count_within(window: &mut VecDeque<f64>, now: f64, span: f64) -> u64 {
    window.push_back(now);
    while window.front().is_some_and(|at| *at <= now - span) {
        window.pop_front();
    }
    window.len() as u64
}
