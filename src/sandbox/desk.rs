//! All state that changes, behind one lock.

use super::Options;
use super::bounded::Bounded;
use super::chats::Chats;
use super::crowd::Crowd;
use super::error::ApiError;
use super::faults::Faults;
use super::file_id::FileId;
use super::inline::Query;
use super::limits::{Limiter, Verdict};
use super::log::Log;
use super::message::{How, Kind, Media, Message};
use super::pacing::Pacing;
use super::stats::Counters;
use super::updates::Updates;
use crate::domain::Sha256;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// Which messages are asked for; empty for all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Of this bot.
    pub bot: Option<u64>,
    /// To this chat.
    pub chat_id: Option<i64>,
    /// With a greater number in the log.
    pub after: Option<u64>,
    /// At most so many: the first ones after `after`, or without it the newest.
    pub limit: Option<usize>,
}

impl Filter {
    pub(super) fn matches(&self, message: &Message) -> bool {
        self.bot.is_none_or(|bot| bot == message.bot) && self.chat_id.is_none_or(|chat| chat == message.chat_id)
    }
}

/// All state that changes.
pub(super) struct Desk {
    pub log: Log,
    pub stats: Counters,
    pub faults: Faults,
    pub pacing: Pacing,
    pub limiter: Limiter,
    pub crowd: Crowd,
    /// What was said about files that are not photos when they were uploaded, which goes with them when they are sent
    /// again; of what was forgotten a file_id still says the kind, the size and the content.
    files: Bounded<(u64, Kind, Sha256, u32), Media>,
    /// What users wrote, by bot, chat and message number.
    pub incoming: Bounded<(u64, i64, i64), Value>,
    /// What was sent through inline answers, by bot and name.
    pub inline: Bounded<(u64, String), Message>,
    /// Who asked what, by the query's id.
    pub inline_queries: Bounded<String, Query>,
    pub chats: Chats,
    pub updates: Updates,
    /// What `setMyCommands` set, by bot.
    pub commands: HashMap<u64, Value>,
    /// Groups that have another id now.
    pub migrations: HashMap<i64, i64>,
    /// How often a bot's file_ids were forgotten.
    epochs: HashMap<u64, u32>,
    /// The last message number of each bot. In private chats and basic groups Telegram counts per account, so that in
    /// each chat the numbers increase.
    message_ids: HashMap<u64, i64>,
    albums: u64,
}

impl Desk {
    pub fn new(options: &Options) -> Self {
        Self {
            log: Log::new(options.messages_kept),
            stats: Counters::default(),
            faults: Faults::new(options.seed),
            pacing: Pacing::default(),
            limiter: Limiter::new(options.limits),
            crowd: Crowd::default(),
            files: Bounded::new(20_000),
            incoming: Bounded::new(10_000),
            inline: Bounded::new(10_000),
            inline_queries: Bounded::new(10_000),
            chats: Chats::default(),
            updates: Updates::default(),
            commands: HashMap::new(),
            migrations: HashMap::new(),
            epochs: HashMap::new(),
            message_ids: HashMap::new(),
            albums: 0,
        }
    }

    /// Asks the limits, and counts a rejection.
    pub fn admit(&mut self, now: f64, bot: u64, chat_id: i64, cost: usize, edit: bool) -> Result<(), ApiError> {
        match self.limiter.admit(now, bot, chat_id, cost, edit) {
            Verdict::ProxyResponse => Ok(()),
            Verdict::Refused { retry_after, violation } => {
                self.stats.refused(bot, violation);
                Err(ApiError::flood(retry_after))
            }
        }
    }

    /// Takes a message that was admitted, and gives it its numbers.
    pub fn post(&mut self, now: f64, mut message: Message) -> Message {
        message.message_id = self.next_message_id(message.bot);
        self.stats.sent(now, &message);
        if let Some(media) = &message.media {
            self.remember(message.bot, media);
        }
        self.log.push(message).clone()
    }

    /// A number for a message that a bot sends or gets.
    pub fn next_message_id(&mut self, bot: u64) -> i64 {
        let last = self.message_ids.entry(bot).or_default();
        *last += 1;
        *last
    }

    /// Takes note of what was said about a file that is new.
    pub fn remember(&mut self, bot: u64, media: &Media) {
        if media.how != How::FileId && media.kind != Kind::Photo {
            self.files.put((bot, media.kind, media.sha256, media.particulars()), media.clone());
        }
    }

    /// What was said about a file.
    pub fn recall(&self, id: &FileId) -> Option<&Media> {
        self.files.get(&(id.bot, id.kind, id.sha256, id.particulars))
    }

    /// A number for an album.
    pub fn next_album(&mut self) -> String {
        self.albums += 1;
        format!("{}", 13_000_000_000_000_000 + self.albums)
    }

    pub fn epoch(&self, bot: u64) -> u32 {
        self.epochs.get(&bot).copied().unwrap_or(0)
    }

    /// From now on no file_id of the bot is good.
    pub fn forget_file_ids(&mut self, bot: u64) {
        *self.epochs.entry(bot).or_default() += 1;
    }

    /// Starts again; only files, file_ids, numbers and webhooks go on.
    pub fn reset(&mut self, options: &Options) {
        let fresh = Self::new(options);
        self.log.clear();
        self.stats = fresh.stats;
        self.faults = fresh.faults;
        self.pacing = fresh.pacing;
        self.limiter = fresh.limiter;
        self.incoming = fresh.incoming;
        self.inline = fresh.inline;
        self.inline_queries = fresh.inline_queries;
        self.chats = fresh.chats;
        self.updates.clear();
        self.migrations = fresh.migrations;
    }
}
