//! The rows of what operators have paused.

use super::columns::{from_json, to_json};
use super::store_error::StoreError;
use crate::domain::{BotName, ChatId, Notification, Pause, PauseList, PauseTarget};
use crate::ports::{MAX_PAUSED_CHATS, Paused};
use rusqlite::{Connection, OptionalExtension, params};

/// How many ids a group may have had, one after the other.
const MAX_MIGRATIONS_FOLLOWED: usize = 8;

/// Whether the bot of a notification is paused, or its chat.
pub fn forbid(conn: &Connection, notification: &Notification) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM paused WHERE bot = ?1 AND chat IN ('', ?2))";
    let key = params![notification.bot.as_str(), notification.chat_id.to_string()];
    Ok(conn.prepare_cached(sql)?.query_row(key, |row| row.get(0))?)
}

/// Pauses a bot or a chat, which is under its present id here.
pub fn pause(conn: &Connection, target: &PauseTarget, pause: &Pause) -> Result<Paused, StoreError> {
    let chat = chat_column(target);
    if let Some(earlier) = find(conn, &target.bot, &chat)? {
        return Ok(Paused::Already(earlier));
    }
    let sql = "SELECT count(*) FROM paused WHERE bot = ?1 AND chat <> ''";
    let others: i64 = conn.prepare_cached(sql)?.query_row([target.bot.as_str()], |row| row.get(0))?;
    if !chat.is_empty() && others >= i64::try_from(MAX_PAUSED_CHATS).unwrap_or(i64::MAX) {
        return Ok(Paused::TooMany);
    }
    put(conn, &target.bot, &chat, &to_json(pause))?;
    Ok(Paused::New)
}

/// Lets a bot or a chat go on, which is under its present id here.
pub fn resume(conn: &Connection, target: &PauseTarget) -> Result<Option<Pause>, StoreError> {
    let chat = chat_column(target);
    let earlier = find(conn, &target.bot, &chat)?;
    delete(conn, &target.bot, &chat)?;
    Ok(earlier)
}

/// All of them.
pub fn list(conn: &Connection) -> Result<PauseList, StoreError> {
    let mut list = PauseList::default();
    let mut select = conn.prepare_cached("SELECT bot, chat, body FROM paused")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (bot, chat) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        let pause = from_json("pause", &row.get::<_, String>(2)?)?;
        let chat = if chat.is_empty() { Ok(None) } else { chat.parse::<ChatId>().map(Some) };
        if let (Ok(bot), Ok(chat)) = (bot.parse(), chat) {
            list.put(PauseTarget { bot, chat }, pause);
        }
    }
    Ok(list)
}

/// A group is a supergroup now: it stays paused, if it was.
pub fn follow_migration(conn: &Connection, bot: &BotName, from: &ChatId, to: &ChatId) -> Result<(), StoreError> {
    let sql = "SELECT body FROM paused WHERE bot = ?1 AND chat = ?2";
    let key = params![bot.as_str(), from.to_string()];
    let body: Option<String> = conn.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(()) };
    put(conn, bot, &to.to_string(), &body)?;
    delete(conn, bot, &from.to_string())
}

/// The same with the chat under its present id.
pub fn present(conn: &Connection, mut target: PauseTarget) -> Result<PauseTarget, StoreError> {
    let mut select = conn.prepare_cached("SELECT migrated_to FROM chats WHERE bot = ?1 AND chat = ?2")?;
    for _ in 0..MAX_MIGRATIONS_FOLLOWED {
        let key = params![target.bot.as_str(), chat_column(&target)];
        let found = select.query_row(key, |row| row.get::<_, Option<i64>>(0)).optional()?;
        let Some(to) = found.flatten() else { break };
        target.chat = Some(ChatId::Id(to));
    }
    Ok(target)
}

fn chat_column(target: &PauseTarget) -> String {
    target.chat.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn find(conn: &Connection, bot: &BotName, chat: &str) -> Result<Option<Pause>, StoreError> {
    let mut select = conn.prepare_cached("SELECT body FROM paused WHERE bot = ?1 AND chat = ?2")?;
    let body: Option<String> = select.query_row(params![bot.as_str(), chat], |row| row.get(0)).optional()?;
    body.map(|body| from_json("pause", &body)).transpose()
}

fn put(conn: &Connection, bot: &BotName, chat: &str, body: &str) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO paused (bot, chat, body) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute(params![bot.as_str(), chat, body])?;
    Ok(())
}

fn delete(conn: &Connection, bot: &BotName, chat: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM paused WHERE bot = ?1 AND chat = ?2";
    conn.prepare_cached(sql)?.execute(params![bot.as_str(), chat])?;
    Ok(())
}
