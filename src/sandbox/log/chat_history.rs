//! All messages of the bots: those that they sent, those that users wrote to them, and their numbers.

use super::message::SandboxMessage;
use super::message_log::MessageLog;
use crate::sandbox::bounded_map::BoundedMap;
use serde_json::Value;
use std::collections::HashMap;

/// The first album's number is the one after this.
const FIRST_ALBUM_ID: u64 = 13_000_000_000_000_000;

/// All messages that are still known.
pub struct ChatHistory {
    pub log: MessageLog,
    /// What users wrote, by bot, chat and message number.
    pub written: BoundedMap<(u64, i64, i64), Value, 10_000>,
    /// What was sent through inline answers, by bot and inline message id.
    pub inline: BoundedMap<(u64, String), SandboxMessage, 10_000>,
    /// The last message number of each bot. In private chats and basic groups Telegram counts per account, so that in
    /// each chat the numbers increase.
    message_ids: HashMap<u64, i64>,
    albums: u64,
}

impl ChatHistory {
    /// An empty history whose log keeps this many messages.
    pub fn new(messages_kept: usize) -> Self {
        Self {
            log: MessageLog::new(messages_kept),
            written: BoundedMap::default(),
            inline: BoundedMap::default(),
            message_ids: HashMap::new(),
            albums: 0,
        }
    }

    /// A number for a message that a bot sends or gets.
    pub fn next_message_id(&mut self, bot: u64) -> i64 {
        let last = self.message_ids.entry(bot).or_default();
        *last += 1;
        *last
    }

    /// A `media_group_id`.
    pub fn next_album_id(&mut self) -> Box<str> {
        self.albums += 1;
        (FIRST_ALBUM_ID + self.albums).to_string().into()
    }

    /// Forgets all messages; numbers go on.
    pub fn clear(&mut self) {
        self.log.clear();
        self.written = BoundedMap::default();
        self.inline = BoundedMap::default();
    }
}
