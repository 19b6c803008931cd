//! The rows of chats: what a new owner of a bot must not break. A row holds the end of the chat's flood wait and the
//! messages that count in its window; a chat of which there is nothing to say has none.

use super::columns::{from_json, to_json};
use super::store_error::StoreError;
use crate::domain::{Attempt, AttemptOutcome, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp};
use crate::ports::ChatWindow;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is known of a chat.
#[derive(Default)]
pub struct ChatState {
    /// The end of its flood wait in Unix milliseconds; 0 for none.
    frozen_until: i64,
    /// In the order in which they began.
    sends: Vec<CountedSend>,
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
        let sql = "SELECT frozen_until, sends FROM chats WHERE bot = ?1 AND chat = ?2";
        let key = params![notification.bot.as_str(), notification.chat_id.to_string()];
        let mut select = conn.prepare_cached(sql)?;
        let found = select.query_row(key, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).optional()?;
        let Some((frozen_until, sends)) = found else { return Ok(Self::default()) };
        Ok(Self { frozen_until, sends: from_json("sends of a chat", &sends)? })
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

    /// Writes the row of the chat that a notification goes to.
    pub fn save(&self, conn: &Connection, notification: &Notification) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO chats (bot, chat, frozen_until, sends, until) VALUES (?1, ?2, ?3, ?4, ?5)";
        let until = self.sends.iter().map(|send| send.until).fold(self.frozen_until, i64::max);
        let chat = notification.chat_id.to_string();
        let values = params![notification.bot.as_str(), chat, self.frozen_until, to_json(&self.sends), until];
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// Takes what became of an attempt into the row of its chat. `record` is that of before the update.
pub fn settle(
    conn: &Connection,
    notification: &Notification,
    record: &Record,
    update: &RecordUpdate,
) -> Result<(), StoreError> {
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
