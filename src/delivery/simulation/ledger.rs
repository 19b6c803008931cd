//! A ledger as the port describes it.

use crate::domain::{
    Attempt, AttemptOutcome, BotName, ChatId, Lane, Notification, NotificationId, Pause, PauseList, PauseTarget,
    Record, RecordUpdate, Status, Timestamp,
};
use crate::ports::{Begin, BeginConditions, Cancelled, ListQuery, RecordPage};
use std::collections::{BTreeMap, BTreeSet};

/// The records, and what outlives an owner of the bot.
#[derive(Default)]
pub struct LedgerModel {
    entries: BTreeMap<NotificationId, Entry>,
    chats: BTreeMap<ChatId, ChatMemory>,
    /// What is still to be sent, by chat and lane, of what keeps to the order of its chat.
    pending: BTreeMap<(ChatId, Lane), BTreeSet<NotificationId>>,
    begins: u64,
    /// Whether the bot is paused, and which chats are.
    paused: (bool, BTreeSet<ChatId>),
}

struct Entry {
    record: Record,
    interrupted: u32,
    /// The attempt that began last: its number, its worker, and what the worker was told; whether the answer was lost.
    begun: Option<Begun>,
    /// Where it stands in the order, if it does.
    place: Option<(ChatId, Lane)>,
}

struct Begun {
    number: u64,
    worker: usize,
    told: Begin,
    unanswered: bool,
}

#[derive(Default)]
struct ChatMemory {
    frozen_until: Option<Timestamp>,
    migrated_to: Option<i64>,
    migrated_from: Option<ChatId>,
    /// When and how many messages, by the attempt that made them.
    sends: BTreeMap<u64, (Timestamp, u32)>,
    /// Until when nothing may follow, by the attempt that it follows.
    pauses: BTreeMap<u64, Timestamp>,
}

impl LedgerModel {
    /// Writes the record of what was accepted.
    pub fn accept(&mut self, notification: &Notification) {
        self.entry(notification);
    }

    /// The record, new if there is none; it stands in the order of the chat that the notification is for now.
    fn entry(&mut self, notification: &Notification) -> &mut Entry {
        let entry = self.entries.entry(notification.id).or_insert_with(|| Entry {
            record: Record::accepted(notification.clone()),
            interrupted: 0,
            begun: None,
            place: None,
        });
        let place = notification.keeps_order().then(|| (notification.chat_id.clone(), notification.lane));
        if entry.record.status.is_final() {
            return entry;
        }
        // Its group may be a supergroup by now.
        entry.record.notification.chat_id = notification.chat_id.clone();
        if entry.place != place {
            let left = std::mem::replace(&mut entry.place, place.clone());
            if let Some(place) = left {
                self.pending.entry(place).or_default().remove(&notification.id);
            }
            if let Some(place) = place {
                self.pending.entry(place).or_default().insert(notification.id);
            }
        }
        entry
    }

    /// See [`crate::ports::Ledger::begin`]; by a worker.
    pub fn begin(
        &mut self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
        worker: usize,
    ) -> Begin {
        if let Some(Entry { record, begun, .. }) = self.entries.get_mut(&notification.id) {
            if record.status.is_final() || record.notification.accepted_at > notification.accepted_at {
                return Begin::Skip(record.status);
            }
            // The same worker again, whose answer was lost.
            if let Some(begun) = begun.as_mut().filter(|begun| begun.unanswered && begun.worker == worker) {
                begun.unanswered = false;
                return begun.told;
            }
        }
        if let Some(refusal) = self.refusal(notification, at, conditions) {
            return refusal;
        }
        self.begins += 1;
        let number = self.begins;
        let entry = self.entry(notification);
        let interrupted = entry.record.status == Status::Sending;
        entry.interrupted += u32::from(interrupted);
        let attempt = interrupted.then(|| Attempt::interrupted(at));
        let failure = entry.record.failure.clone();
        entry.record.apply(RecordUpdate { attempt, failure, ..RecordUpdate::of(Status::Sending, at) });
        let told = Begin::Proceed { interrupted, interrupted_attempts: entry.interrupted };
        let before = entry.begun.replace(Begun { number, worker, told, unanswered: false }).filter(|_| interrupted);
        let chat = self.chats.entry(notification.chat_id.clone()).or_default();
        // What was interrupted has left by now if it has left at all, and maybe long after it began.
        if let Some(send) = before.and_then(|before| chat.sends.get_mut(&before.number)) {
            send.0 = at;
        }
        if let Some(window) = conditions.chat_window {
            let cost = window.cost.min(window.limit);
            chat.sends.insert(number, (at, cost));
        }
        if !conditions.then_pause.is_zero() {
            chat.pauses.insert(number, at.plus(conditions.then_pause));
        }
        told
    }

    fn refusal(&self, notification: &Notification, at: Timestamp, conditions: &BeginConditions) -> Option<Begin> {
        let chat = self.chats.get(&notification.chat_id);
        if let Some(to) = chat.and_then(|chat| chat.migrated_to) {
            return Some(Begin::Migrated(to));
        }
        if self.paused.0 || self.paused.1.contains(&notification.chat_id) {
            return Some(Begin::Paused);
        }
        let paused_until =
            chat.and_then(|chat| chat.pauses.values().max()).map(|until| until.plus(conditions.headroom));
        let free_at = chat.and_then(|chat| chat.frozen_until).max(paused_until);
        if let Some(until) = free_at.filter(|until| *until > at) {
            return Some(Begin::TooSoon(until));
        }
        if let (Some(window), Some(chat)) = (conditions.chat_window, chat) {
            let mut counted: Vec<_> = chat.sends.values().filter(|(sent, _)| sent.plus(window.span) > at).collect();
            counted.sort_unstable();
            let mut room = i64::from(window.limit) - counted.iter().map(|(_, cost)| i64::from(*cost)).sum::<i64>();
            for (sent, cost) in &counted {
                if room >= i64::from(window.cost.min(window.limit)) {
                    break;
                }
                room += i64::from(*cost);
                if room >= i64::from(window.cost.min(window.limit)) {
                    return Some(Begin::TooSoon(sent.plus(window.span)));
                }
            }
        }
        if conditions.in_order && notification.keeps_order() {
            let former = chat.and_then(|chat| chat.migrated_from.as_ref());
            let mut names = [Some(&notification.chat_id), former].into_iter().flatten();
            let before = names.find_map(|name| self.first_before(notification, name));
            return before.map(Begin::Behind);
        }
        None
    }

    /// What is still to be sent before it, under a name of its chat.
    fn first_before(&self, notification: &Notification, chat: &ChatId) -> Option<NotificationId> {
        let first = self.pending.get(&(chat.clone(), notification.lane))?.first()?;
        Some(*first).filter(|first| *first < notification.id)
    }

    /// The answer to the last begin of a worker was lost.
    pub fn mark_unanswered(&mut self, id: NotificationId, worker: usize) {
        let begun = self.entries.get_mut(&id).and_then(|entry| entry.begun.as_mut());
        if let Some(begun) = begun.filter(|begun| begun.worker == worker) {
            begun.unanswered = true;
        }
    }

    /// See [`crate::ports::Ledger::settle`]; by a worker. What a former owner writes that is not final changes nothing once
    /// the next one has begun.
    pub fn settle(&mut self, notification: &Notification, update: RecordUpdate, worker: usize) -> bool {
        let former = self.entries.get(&notification.id).map(|entry| entry.record.notification.chat_id.clone());
        let entry = self.entry(notification);
        let superseded = entry.record.notification.accepted_at > notification.accepted_at;
        if entry.record.status.is_final() || superseded {
            return false;
        }
        let begun = entry.begun.as_ref().filter(|_| entry.record.status == Status::Sending);
        if !update.status.is_final() && begun.is_some_and(|begun| begun.worker != worker) {
            return false;
        }
        let number = begun.map(|begun| begun.number);
        let migrated = update.attempt.as_ref().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Migrated);
        if let (true, ChatId::Id(to), Some(from)) = (migrated, &notification.chat_id, former)
            && from != notification.chat_id
        {
            self.chats.entry(from.clone()).or_default().migrated_to = Some(*to);
            if self.paused.1.remove(&from) {
                self.paused.1.insert(notification.chat_id.clone());
            }
            self.chats.entry(notification.chat_id.clone()).or_default().migrated_from = Some(from);
        }
        let chat = self.chats.entry(notification.chat_id.clone()).or_default();
        match (&update.attempt, number) {
            (Some(_), Some(number)) => {
                if let Some(send) = chat.sends.get_mut(&number) {
                    send.0 = update.at;
                }
            }
            (None, Some(number)) => {
                chat.sends.remove(&number);
                chat.pauses.remove(&number);
            }
            _ => {}
        }
        let flood = update.attempt.as_ref().filter(|attempt| attempt.outcome == AttemptOutcome::FloodWait);
        if let Some(seconds) = flood.and_then(|attempt| attempt.retry_after) {
            let until = update.at.plus(std::time::Duration::from_secs(seconds));
            chat.frozen_until = chat.frozen_until.max(Some(until));
        }
        self.write(notification.id, update);
        true
    }

    fn write(&mut self, id: NotificationId, update: RecordUpdate) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.record.apply(update);
        if entry.record.status.is_final()
            && let Some(place) = entry.place.take()
        {
            self.pending.entry(place).or_default().remove(&id);
        }
    }

    /// See [`crate::ports::Ledger::cancel`].
    pub fn cancel(&mut self, id: NotificationId, at: Timestamp) -> Cancelled {
        match self.entries.get(&id).map(|entry| entry.record.status) {
            None => Cancelled::NotFound,
            Some(status) if !status.is_cancellable() => Cancelled::TooLate(status),
            Some(_) => {
                self.write(id, RecordUpdate::of(Status::Cancelled, at));
                Cancelled::Done(Box::new(self.entries[&id].record.clone()))
            }
        }
    }

    /// Pauses the bot or a chat, or lets it go on; the chat as it is called now.
    pub fn set_paused(&mut self, chat: Option<ChatId>, is_paused: bool) -> Option<ChatId> {
        let Some(chat) = chat else {
            self.paused.0 = is_paused;
            return None;
        };
        let migrated_to = self.chats.get(&chat).and_then(|chat| chat.migrated_to);
        let present = migrated_to.map_or(chat, ChatId::Id);
        match is_paused {
            true => self.paused.1.insert(present.clone()),
            false => self.paused.1.remove(&present),
        };
        Some(present)
    }

    /// What is paused.
    pub fn pauses(&self) -> PauseList {
        let (bot, mut list) = (BotName::default_bot(), PauseList::default());
        let chats = self.paused.1.iter().cloned().map(Some);
        for chat in chats.chain(self.paused.0.then_some(None)) {
            let pause = Pause { since: Timestamp::from_unix_millis(0), client: None, reason: None };
            list.put(PauseTarget { bot: bot.clone(), chat }, pause);
        }
        list
    }

    /// A record.
    pub fn get(&self, id: NotificationId) -> Option<&Record> {
        self.entries.get(&id).map(|entry| &entry.record)
    }

    /// See [`crate::ports::Ledger::list`].
    pub fn list(&self, query: &ListQuery) -> RecordPage {
        let fits = |record: &&Record| {
            query.filter.matches(record) && query.before.is_none_or(|before| record.notification.id < before)
        };
        let found = self.entries.values().rev().map(|entry| &entry.record).filter(fits);
        let mut records: Vec<_> = found.take(query.limit + 1).cloned().collect();
        let more = records.len() > query.limit;
        records.truncate(query.limit);
        let next = records.last().filter(|_| more).map(|last| last.notification.id);
        RecordPage { records, next }
    }
}
