//! The newest messages, bounded in number and in bytes.

use super::desk::Filter;
use super::message::Message;
use std::collections::{HashMap, VecDeque};

/// The most that the log may weigh in memory, whatever its captions.
const MAX_WEIGHT: usize = 128 << 20;

/// The newest messages, oldest first.
pub(super) struct Log {
    messages: VecDeque<Message>,
    by_id: HashMap<(u64, i64), u64>,
    weight: usize,
    max: usize,
    next_seq: u64,
}

impl Log {
    pub fn new(max: usize) -> Self {
        Self { messages: VecDeque::new(), by_id: HashMap::new(), weight: 0, max: max.max(1), next_seq: 1 }
    }

    /// Takes a message and gives it its number.
    pub fn push(&mut self, mut message: Message) -> &Message {
        message.seq = self.next_seq;
        self.next_seq += 1;
        self.weight += message.weight();
        self.by_id.insert((message.bot, message.message_id), message.seq);
        self.messages.push_back(message);
        while self.messages.len() > self.max || (self.weight > MAX_WEIGHT && self.messages.len() > 1) {
            if let Some(oldest) = self.messages.pop_front() {
                self.weight -= oldest.weight();
                self.by_id.remove(&(oldest.bot, oldest.message_id));
            }
        }
        self.messages.back().expect("one was just pushed")
    }

    /// A message that is still kept and was not deleted.
    pub fn find(&self, bot: u64, chat_id: i64, message_id: i64) -> Option<&Message> {
        let index = self.index(*self.by_id.get(&(bot, message_id))?)?;
        self.messages.get(index).filter(|message| message.chat_id == chat_id && !message.deleted)
    }

    /// Changes a message; the numbers that identify it must stay.
    pub fn change(&mut self, seq: u64, change: impl FnOnce(&mut Message)) -> Option<&Message> {
        let index = self.index(seq)?;
        let message = self.messages.get_mut(index)?;
        self.weight -= message.weight();
        change(message);
        self.weight += message.weight();
        Some(message)
    }

    /// The kept messages that match, oldest first.
    pub fn select(&self, filter: &Filter) -> Vec<Message> {
        let found = self.matching(self.before(filter), filter);
        found.take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// After which number the messages that are asked for begin.
    pub fn before(&self, filter: &Filter) -> u64 {
        match (filter.after, filter.limit) {
            (Some(after), _) => after,
            (None, Some(limit @ 1..)) => self.matching(0, filter).nth_back(limit - 1).map_or(0, |first| first.seq - 1),
            _ => 0,
        }
    }

    fn matching(&self, after: u64, filter: &Filter) -> impl DoubleEndedIterator<Item = &Message> {
        let start = self.messages.partition_point(|message| message.seq <= after);
        self.messages.range(start..).filter(|message| filter.matches(message))
    }

    /// Empties it; numbers go on.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.by_id.clear();
        self.weight = 0;
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.messages.front()?.seq)?).ok()
    }
}
