//! The newest messages that bots sent, bounded in number and in bytes.

use super::message::SandboxMessage;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};

/// The most that the log may take in memory, whatever its captions.
const MAX_LOG_BYTES: usize = 128 << 20;

/// Which messages are asked for; empty for all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageFilter {
    /// Of this bot.
    pub bot: Option<u64>,
    /// To this chat.
    pub chat_id: Option<i64>,
    /// With a greater number in the log.
    pub after: Option<u64>,
    /// At most so many: the first ones after `after`, or without it the newest.
    pub limit: Option<usize>,
}

impl MessageFilter {
    fn matches(&self, message: &SandboxMessage) -> bool {
        self.bot.is_none_or(|bot| bot == message.bot) && self.chat_id.is_none_or(|chat| chat == message.chat_id)
    }
}

/// The newest messages, oldest first.
pub struct MessageLog {
    messages: VecDeque<SandboxMessage>,
    by_id: HashMap<(u64, i64), u64>,
    bytes: usize,
    max: usize,
    next_seq: u64,
}

impl MessageLog {
    pub fn new(max: usize) -> Self {
        Self { messages: VecDeque::new(), by_id: HashMap::new(), bytes: 0, max: max.max(1), next_seq: 1 }
    }

    /// Takes a message and gives it its number.
    pub fn push(&mut self, mut message: SandboxMessage) -> &SandboxMessage {
        message.seq = self.next_seq;
        self.next_seq += 1;
        self.bytes += message.memory_bytes();
        self.by_id.insert((message.bot, message.message_id), message.seq);
        self.messages.push_back(message);
        while self.messages.len() > self.max || (self.bytes > MAX_LOG_BYTES && self.messages.len() > 1) {
            if let Some(oldest) = self.messages.pop_front() {
                self.bytes -= oldest.memory_bytes();
                self.by_id.remove(&(oldest.bot, oldest.message_id));
            }
        }
        self.messages.back().expect("one was just pushed")
    }

    /// A message that is still kept and was not deleted.
    pub fn find(&self, bot: u64, chat_id: i64, message_id: i64) -> Option<&SandboxMessage> {
        let index = self.index(*self.by_id.get(&(bot, message_id))?)?;
        self.messages.get(index).filter(|message| message.chat_id == chat_id && !message.deleted)
    }

    /// Changes a message; the numbers that identify it must stay.
    pub fn change(&mut self, seq: u64, change: impl FnOnce(&mut SandboxMessage)) -> Option<&SandboxMessage> {
        let index = self.index(seq)?;
        let message = self.messages.get_mut(index)?;
        self.bytes -= message.memory_bytes();
        change(message);
        self.bytes += message.memory_bytes();
        Some(message)
    }

    /// The kept messages that match, oldest first.
    pub fn select(&self, filter: &MessageFilter) -> Vec<SandboxMessage> {
        let found = self.matching(self.before(filter), filter);
        found.take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// After which number the messages that are asked for begin.
    pub fn before(&self, filter: &MessageFilter) -> u64 {
        match (filter.after, filter.limit) {
            (Some(after), _) => after,
            (None, Some(limit @ 1..)) => self.matching(0, filter).nth_back(limit - 1).map_or(0, |first| first.seq - 1),
            _ => 0,
        }
    }

    fn matching(&self, after: u64, filter: &MessageFilter) -> impl DoubleEndedIterator<Item = &SandboxMessage> {
        let start = self.messages.partition_point(|message| message.seq <= after);
        self.messages.range(start..).filter(|message| filter.matches(message))
    }

    /// Empties it; numbers go on.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.by_id.clear();
        self.bytes = 0;
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.messages.front()?.seq)?).ok()
    }
}
