//! Which chats of a bot hold its backlog: from the records of what is open, or an even sample of them.

use super::columns::id_from_bytes;
use super::store_error::StoreError;
use crate::domain::{BotName, ChatId, Status, Timestamp};
use crate::ports::{BacklogTally, ChatBacklog, DeepestChats, MAX_TALLIED, OpenCounts};
use rusqlite::{Connection, OptionalExtension, params};

/// The deepest chats of a bot that has so many open.
pub fn of(conn: &Connection, bot: &BotName, open: OpenCounts, limit: usize) -> Result<DeepestChats, StoreError> {
    // Rows are numbered in the order in which they came, so every so manieth is an even sample.
    let step = i64::try_from(open.total().div_ceil(MAX_TALLIED)).unwrap_or(i64::MAX).max(1);
    let mut tally = BacklogTally::new(open);
    // The number stands in the index, so what is not in the sample is not read.
    let sql = "SELECT body ->> '$.chat_id', count(*), min(id) FROM records
        WHERE status = ?1 AND +bot = ?2 AND number % ?3 = ?4 GROUP BY 1";
    let mut select = conn.prepare_cached(sql)?;
    for status in Status::OPEN {
        let values = params![status.as_str(), bot.as_str(), step, fastrand::i64(0..step)];
        let mut rows = select.query(values)?;
        while let Some(row) = rows.next()? {
            let chat = match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(id) => Some(ChatId::Id(id)),
                other => other.as_str().ok().and_then(|name| name.parse().ok()),
            };
            let Some(chat) = chat else { continue };
            tally.add(chat, status, row.get::<_, i64>(1)?.unsigned_abs(), id_from_bytes(row.get(2)?));
        }
    }
    let mut deepest = tally.deepest(limit);
    for chat in &mut deepest.chats {
        chat.flood_wait_until = flood_wait_until(conn, bot, chat)?;
    }
    Ok(deepest)
}

fn flood_wait_until(conn: &Connection, bot: &BotName, chat: &ChatBacklog) -> Result<Option<Timestamp>, StoreError> {
    let mut select = conn.prepare_cached("SELECT frozen_until FROM chats WHERE bot = ?1 AND chat = ?2")?;
    let key = params![bot.as_str(), chat.chat.to_string()];
    let until: Option<i64> = select.query_row(key, |row| row.get(0)).optional()?;
    Ok(until.map(Timestamp::from_unix_millis).filter(|until| *until > Timestamp::now()))
}
