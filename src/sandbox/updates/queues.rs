//! A queue of updates for each bot, with the rules by which the Bot API server hands them out. Pure, with `now` in seconds
//! passed in.

use super::webhook::Webhook;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// The most updates that wait for one bot; the oldest go.
const MAX_WAITING_UPDATES: usize = 100_000;
/// Kinds of updates that are not sent unless they are asked for (Bot API).
const ONLY_IF_ASKED: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];
/// A call with the offset of the one before waits at least so long (Bot API server).
const MIN_REPEATED_POLL_SECONDS: u64 = 3;
/// A repeated call that comes sooner than this gets one update only (Bot API server).
const HASTY_POLL_SECONDS: f64 = 0.5;
/// How far apart answers with 409 are at least (Bot API server).
const MIN_CONFLICT_INTERVAL_SECONDS: f64 = 3.0;

#[derive(Default)]
pub struct UpdateQueues {
    bots: HashMap<u64, UpdateQueue>,
    last_number: u64,
}

#[derive(Default)]
pub struct UpdateQueue {
    waiting: VecDeque<(i64, Map<String, Value>)>,
    last_id: i64,
    /// What the bot wants to hear of, unless it is what all want.
    allowed: Option<BTreeSet<String>>,
    /// The offset and the time of the last `getUpdates`.
    last_poll: Option<(i64, f64)>,
    next_conflict: f64,
    /// Counts the consumers of this queue, long polls and webhooks: only the newest may wait, older ones end.
    pub consumer: u64,
    /// Whether it was `setWebhook` that ended the long poll.
    pub ended_by_webhook: bool,
    /// Wakes whoever waits for this queue.
    pub changed: Arc<Notify>,
    pub webhook: Option<Webhook>,
    /// When a webhook may be set again.
    pub next_set_webhook: f64,
}

impl UpdateQueues {
    /// A number for an inline or callback query.
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub fn of(&mut self, bot: u64) -> &mut UpdateQueue {
        self.bots.entry(bot).or_default()
    }

    /// Adds an update, unless the bot does not want its like; gives its number.
    pub fn push(&mut self, bot: u64, mut content: Map<String, Value>) -> i64 {
        let queue = self.of(bot);
        queue.last_id += 1;
        let id = queue.last_id;
        content.shift_remove("update_id");
        if content.keys().all(|kind| !queue.wants(kind)) {
            return id;
        }
        let mut update = Map::from_iter([("update_id".to_owned(), id.into())]);
        update.extend(content);
        queue.waiting.push_back((id, update));
        if queue.waiting.len() > MAX_WAITING_UPDATES {
            queue.waiting.pop_front();
        }
        queue.changed.notify_waiters();
        id
    }

    /// Forgets what waits; numbers and webhooks stay.
    pub fn clear(&mut self) {
        self.bots.values_mut().for_each(|queue| queue.waiting.clear());
    }
}

impl UpdateQueue {
    fn wants(&self, kind: &str) -> bool {
        self.allowed.as_ref().map_or(!ONLY_IF_ASKED.contains(&kind), |allowed| allowed.contains(kind))
    }

    /// Reads `allowed_updates`: a list; an empty one for the usual ones; anything else changes nothing.
    pub fn allow(&mut self, text: Option<&str>) {
        let Some(Ok(kinds)) = text.map(serde_json::from_str::<Vec<String>>) else { return };
        let kinds: BTreeSet<String> = kinds.into_iter().map(|kind| kind.to_ascii_lowercase()).collect();
        self.allowed = Some(kinds).filter(|kinds| !kinds.is_empty());
    }

    pub fn allowed(&self) -> Option<&BTreeSet<String>> {
        self.allowed.as_ref()
    }

    pub fn pending(&self) -> usize {
        self.waiting.len()
    }

    pub fn drop_pending(&mut self) {
        self.waiting.clear();
    }

    /// Begins the turn of a new consumer and ends the one before.
    pub fn supersede(&mut self) -> u64 {
        self.consumer += 1;
        self.changed.notify_waiters();
        self.consumer
    }

    /// What a `getUpdates` that comes now may have: its timeout in seconds and its limit.
    pub fn polled(&mut self, now: f64, offset: i64, timeout: u64, limit: usize) -> (u64, usize) {
        let since = match self.last_poll.replace((offset, now)) {
            Some((before, at)) if before == offset => now - at,
            _ => f64::INFINITY,
        };
        let timeout =
            if since < MIN_REPEATED_POLL_SECONDS as f64 { timeout.max(MIN_REPEATED_POLL_SECONDS) } else { timeout };
        (timeout, if since < HASTY_POLL_SECONDS { 1 } else { limit })
    }

    /// The updates from an offset on; those before it are confirmed and go. A negative offset counts from the end.
    pub fn take(&mut self, offset: i64, limit: usize) -> Vec<Value> {
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            self.waiting.drain(..self.waiting.len().saturating_sub(keep));
        }
        // What lies in the future confirms nothing.
        if offset <= self.last_id + 1 {
            let confirmed = self.waiting.partition_point(|(id, _)| *id < offset);
            self.waiting.drain(..confirmed);
        }
        self.waiting.iter().take(limit).map(|(_, update)| Value::Object(update.clone())).collect()
    }

    /// The oldest update, for the webhook.
    pub fn oldest(&self) -> Option<(i64, Value)> {
        self.waiting.front().map(|(id, update)| (*id, Value::Object(update.clone())))
    }

    /// Takes an update out that the webhook has.
    pub fn delivered(&mut self, id: i64) {
        if self.waiting.front().is_some_and(|(oldest, _)| *oldest == id) {
            self.waiting.pop_front();
        }
    }

    /// How many seconds a 409 that is due now is held back.
    pub fn conflict_delay(&mut self, now: f64) -> f64 {
        if now < self.next_conflict {
            return MIN_CONFLICT_INTERVAL_SECONDS;
        }
        self.next_conflict = now + MIN_CONFLICT_INTERVAL_SECONDS;
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(kind: &str) -> Map<String, Value> {
        Map::from_iter([(kind.to_owned(), Value::Null)])
    }

    fn ids(updates: Vec<Value>) -> Vec<i64> {
        updates.iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
    }

    #[test]
    fn updates_come_again_until_a_higher_offset_confirms_them() {
        let mut updates = UpdateQueues::default();
        for id in 1..=5 {
            assert_eq!(updates.push(1, update("message")), id);
        }
        let queue = updates.of(1);
        assert_eq!(ids(queue.take(0, 100)), [1, 2, 3, 4, 5]);
        assert_eq!(ids(queue.take(0, 2)), [1, 2]);
        assert_eq!(ids(queue.take(3, 100)), [3, 4, 5]);
        assert_eq!(ids(queue.take(1, 100)), [3, 4, 5], "confirmed is confirmed");
        assert_eq!(ids(queue.take(99, 100)), [3, 4, 5], "the future confirms nothing");
        assert_eq!(ids(queue.take(-1, 100)), [5]);
        assert!(queue.take(6, 100).is_empty());
        assert_eq!(updates.of(2).pending(), 0);
    }

    #[test]
    fn only_what_is_wanted_is_kept() {
        let mut updates = UpdateQueues::default();
        updates.push(1, update("chat_member"));
        assert_eq!(updates.of(1).pending(), 0);
        updates.of(1).allow(Some(r#"["Chat_Member"]"#));
        updates.push(1, update("message"));
        updates.push(1, update("chat_member"));
        updates.of(1).allow(Some("nonsense"));
        assert_eq!(ids(updates.of(1).take(0, 9)), [3]);
        updates.of(1).allow(Some("[]"));
        updates.push(1, update("message"));
        assert_eq!(updates.of(1).pending(), 2);
    }

    #[test]
    fn asking_the_same_again_at_once_is_slowed_down() {
        let mut queue = UpdateQueue::default();
        assert_eq!(queue.polled(0.0, 0, 0, 100), (0, 100));
        assert_eq!(queue.polled(0.2, 0, 0, 100), (3, 1));
        assert_eq!(queue.polled(1.2, 0, 50, 100), (50, 100));
        assert_eq!(queue.polled(1.3, 7, 0, 100), (0, 100));
        assert_eq!(queue.polled(9.3, 7, 0, 100), (0, 100));
        assert_eq!((queue.conflict_delay(1.0), queue.conflict_delay(2.0), queue.conflict_delay(4.0)), (0.0, 3.0, 0.0));
    }
}
