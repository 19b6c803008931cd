//! The rows of chats: what a new owner of a bot must not break. A row holds the end of the chat's flood wait, the messages
//! that count in its window, and where it has migrated to and from; a chat of which there is nothing to say has none.

use super::columns::{from_json, to_json};
use super::limits::MIGRATION_RETENTION;
use super::paused_rows;
use super::store_error::StoreError;
use crate::domain::{
    Attempt, AttemptOutcome, BotName, ChatId, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp,
};
use crate::ports::ChatWindow;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is known of a chat.
#[derive(Default)]
pub struct ChatState {
    /// The end of its flood wait in Unix milliseconds; 0 for none.
    frozen_until: i64,
    /// In the order in which they began.
    sends: Vec<CountedSend>,
    /// Its present id, if it is a supergroup now.
    pub migrated_to: Option<i64>,
    /// The id that it had before.
    pub migrated_from: Option<String>,
    /// Until when that is to be remembered, in Unix milliseconds.
    remembered_until: i64,
}

/// An attempt that counts in the window of its chat.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct CountedSend {
    id: NotificationId,
    messages: u32,
    /// From then on it does not count, in Unix milliseconds.
    until: i64,
}

impl ChatState {
    /// Reads the row of the chat that a notification goes to.
    pub fn load(conn: &Connection, notification: &Notification) -> Result<Self, StoreError> {
        Self::load_of(conn, &notification.bot, &notification.chat_id)
    }

    fn load_of(conn: &Connection, bot: &BotName, chat: &ChatId) -> Result<Self, StoreError> {
        let sql =
            "SELECT frozen_until, sends, migrated_to, migrated_from, until FROM chats WHERE bot = ?1 AND chat = ?2";
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query(params![bot.as_str(), chat.to_string()])?;
        let Some(row) = rows.next()? else { return Ok(Self::default()) };
        let (migrated_to, migrated_from) = (row.get::<_, Option<i64>>(2)?, row.get::<_, Option<String>>(3)?);
        let has_migrated = migrated_to.is_some() || migrated_from.is_some();
        let remembered_until = if has_migrated { row.get(4)? } else { 0 };
        let sends = from_json("sends of a chat", &row.get::<_, String>(1)?)?;
        Ok(Self { frozen_until: row.get(0)?, sends, migrated_to, migrated_from, remembered_until })
    }

    /// The moment before which nothing may be sent to it; `None` if it may be now.
    pub fn too_soon(&self, at: Timestamp, window: Option<&ChatWindow>) -> Option<Timestamp> {
        let flood_wait = Some(self.frozen_until).filter(|until| *until > at.unix_millis());
        let until = flood_wait.or_else(|| self.room_at(at.unix_millis(), window?))?;
        Some(Timestamp::from_unix_millis(until))
    }

    /// When there is room in the window; `None` for now.
    fn room_at(&self, now: i64, window: &ChatWindow) -> Option<i64> {
        let mut counted: Vec<_> = self.sends.iter().filter(|send| send.until > now).collect();
        counted.sort_by_key(|send| send.until);
        let room = window.limit - window.cost.min(window.limit);
        let mut sum: u64 = counted.iter().map(|send| u64::from(send.messages)).sum();
        let mut room_at = None;
        for send in counted {
            if sum <= u64::from(room) {
                break;
            }
            sum -= u64::from(send.messages);
            room_at = Some(send.until);
        }
        room_at
    }

    /// Counts an attempt that begins now, and forgets those that count no longer. One of the same notification that was
    /// interrupted may have left as late as now.
    pub fn count(&mut self, id: NotificationId, at: Timestamp, window: &ChatWindow, interrupted: bool) {
        self.sends.retain(|send| send.until > at.unix_millis());
        let (messages, until) = (window.cost.min(window.limit), at.plus(window.span).unix_millis());
        for send in self.sends.iter_mut().filter(|send| interrupted && send.id == id) {
            send.until = until;
        }
        self.sends.push(CountedSend { id, messages, until });
    }

    /// Takes in what became of an attempt that began at `begun_at`; returns whether that changed anything. Telegram may
    /// have counted it as late as at its answer; without an attempt nothing has left.
    fn settle(&mut self, id: NotificationId, begun_at: Option<Timestamp>, update: &RecordUpdate) -> bool {
        let mut changed = false;
        let newest = self.sends.iter().rposition(|send| send.id == id);
        if let (Some(newest), Some(begun_at)) = (newest, begun_at) {
            match update.attempt {
                Some(_) => self.sends[newest].until += update.at.unix_millis() - begun_at.unix_millis(),
                None => _ = self.sends.remove(newest),
            }
            changed = true;
        }
        if let Some(wait) = update.attempt.as_ref().and_then(flood_wait) {
            self.frozen_until = self.frozen_until.max(update.at.plus(wait).unix_millis());
            changed = true;
        }
        changed
    }

    /// Remembers for a while longer that it has migrated; whether that needs to be written.
    pub fn remember_migration(&mut self, at: Timestamp) -> bool {
        let until = at.plus(MIGRATION_RETENTION).unix_millis();
        let is_due = self.remembered_until < until - DAY_MS;
        self.remembered_until = self.remembered_until.max(until);
        is_due
    }

    /// Writes the row of the chat that a notification goes to.
    pub fn save(&self, conn: &Connection, notification: &Notification) -> Result<(), StoreError> {
        self.save_of(conn, &notification.bot, &notification.chat_id)
    }

    fn save_of(&self, conn: &Connection, bot: &BotName, chat: &ChatId) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO chats (bot, chat, frozen_until, sends, migrated_to, migrated_from, until)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let until = self.sends.iter().map(|send| send.until).fold(self.frozen_until, i64::max);
        let values = params![
            bot.as_str(),
            chat.to_string(),
            self.frozen_until,
            to_json(&self.sends),
            self.migrated_to,
            self.migrated_from,
            until.max(self.remembered_until),
        ];
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// Notes that a group is the supergroup now that a notification goes to.
fn note_migration(
    conn: &Connection,
    from: &ChatId,
    notification: &Notification,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (bot, to) = (&notification.bot, &notification.chat_id);
    let ChatId::Id(number) = to else { return Ok(()) };
    let (mut former, mut present) = (ChatState::load_of(conn, bot, from)?, ChatState::load_of(conn, bot, to)?);
    former.migrated_to = Some(*number);
    present.migrated_from = Some(from.to_string());
    // A circle ends here.
    present.migrated_to = None;
    for (chat, state) in [(from, &mut former), (to, &mut present)] {
        state.remember_migration(at);
        state.save_of(conn, bot, chat)?;
    }
    paused_rows::follow_migration(conn, bot, from, to)
}

/// Takes what became of an attempt into the row of its chat. `record` is that of before the update, and `from` the chat that the
/// notification went to before the attempt.
pub fn settle(conn: &Connection, from: &ChatId, record: &Record, update: &RecordUpdate) -> Result<(), StoreError> {
    let notification = &record.notification;
    let is_told = update.attempt.as_ref().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Migrated);
    if is_told && *from != notification.chat_id {
        note_migration(conn, from, notification, update.at)?;
    }
    let begun_at = (record.status == Status::Sending).then_some(record.updated_at);
    if begun_at.is_none() && update.attempt.as_ref().and_then(flood_wait).is_none() {
        return Ok(());
    }
    let mut chat = ChatState::load(conn, notification)?;
    match chat.settle(notification.id, begun_at, update) {
        true => chat.save(conn, notification),
        false => Ok(()),
    }
}

/// How long Telegram asked the chat to wait.
fn flood_wait(attempt: &Attempt) -> Option<Duration> {
    let asked = attempt.retry_after.filter(|_| attempt.outcome == AttemptOutcome::FloodWait);
    asked.map(Duration::from_secs)
}
