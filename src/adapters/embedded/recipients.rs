//! The recipient book: rows of recipients, of groups that wait for their creator's number, and of bots' usernames.

use super::columns::{from_json, to_json};
use super::limits::MAX_HELD_GROUPS;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{Address, BotName, ChatId, PendingGroup, Recipient, RecipientState};
use crate::ports::{LedgerError, RecipientPage, RecipientQuery, Recipients};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// [`Recipients`] in the file.
pub struct EmbeddedRecipients {
    store: Arc<SqliteStore>,
}

impl EmbeddedRecipients {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        Ok(self.store.write(Durability::Disk, work).await?)
    }
}

#[async_trait]
impl Recipients for EmbeddedRecipients {
    async fn put(&self, recipients: &[Recipient]) -> Result<(), LedgerError> {
        let recipients = recipients.to_vec();
        self.write(move |conn| recipients.iter().try_for_each(|recipient| save_entry(conn, recipient))).await
    }

    async fn get(&self, bot: &BotName, address: &Address) -> Result<Option<Recipient>, LedgerError> {
        let (bot, key) = (bot.clone(), address.key());
        let find = move |conn: &Connection| {
            query_one(conn, "SELECT body FROM recipients WHERE bot = ?1 AND key = ?2", params![bot.as_str(), key])
        };
        Ok(self.store.read(find).await?)
    }

    async fn of_chat(&self, bot: &BotName, chat: &ChatId) -> Result<Vec<Recipient>, LedgerError> {
        let (bot, chat) = (bot.clone(), chat.clone());
        Ok(self.store.read(move |conn| entries_of_chat(conn, &bot, &chat)).await?)
    }

    async fn delete(&self, bot: &BotName, address: &Address) -> Result<bool, LedgerError> {
        let (bot, key) = (bot.clone(), address.key());
        let delete = move |conn: &Connection| {
            let sql = "DELETE FROM recipients WHERE bot = ?1 AND key = ?2";
            Ok(conn.prepare_cached(sql)?.execute(params![bot.as_str(), key])? > 0)
        };
        self.write(delete).await
    }

    async fn list(&self, query: &RecipientQuery) -> Result<RecipientPage, LedgerError> {
        let (bot, limit, (from, to)) = (query.bot.clone(), query.limit, query.bounds());
        let list = move |conn: &Connection| {
            let sql = "SELECT body FROM recipients WHERE bot = ?1 AND key > ?2 AND key < ?3 ORDER BY key LIMIT ?4";
            let values = params![bot.as_str(), from, to, i64::try_from(limit + 1).unwrap_or(i64::MAX)];
            Ok(RecipientPage::of(query_all(conn, sql, values)?, limit))
        };
        Ok(self.store.read(list).await?)
    }

    async fn set_state(&self, bot: &BotName, chat: &ChatId, state: RecipientState) -> Result<u64, LedgerError> {
        let (bot, chat) = (bot.clone(), chat.clone());
        let set = move |conn: &Connection| {
            let entries = entries_of_chat(conn, &bot, &chat)?;
            for entry in entries.iter().filter(|entry| entry.state != state) {
                save_entry(conn, &Recipient { state, ..entry.clone() })?;
            }
            Ok(entries.len() as u64)
        };
        self.write(set).await
    }

    async fn rekey(&self, bot: &BotName, from: &ChatId, to: &ChatId) -> Result<u64, LedgerError> {
        let (bot, from, to) = (bot.clone(), from.clone(), to.clone());
        let rekey = move |conn: &Connection| {
            let entries = entries_of_chat(conn, &bot, &from)?;
            for entry in &entries {
                save_entry(conn, &Recipient { chat_id: to.clone(), ..entry.clone() })?;
            }
            if let Some(group) = load_held_group(conn, &bot, &from)? {
                save_held_group(conn, &PendingGroup { chat_id: to, ..group })?;
                delete_held_group(conn, &bot, &from)?;
            }
            Ok(entries.len() as u64)
        };
        self.write(rekey).await
    }

    async fn remove_chat(&self, bot: &BotName, chat: &ChatId) -> Result<u64, LedgerError> {
        let (bot, chat) = (bot.clone(), chat.clone());
        let remove = move |conn: &Connection| {
            delete_held_group(conn, &bot, &chat)?;
            let sql = "DELETE FROM recipients WHERE bot = ?1 AND chat_id = ?2";
            Ok(conn.prepare_cached(sql)?.execute(params![bot.as_str(), chat.to_string()])? as u64)
        };
        self.write(remove).await
    }

    async fn hold_group(&self, group: &PendingGroup) -> Result<(), LedgerError> {
        let group = group.clone();
        self.write(move |conn| save_held_group(conn, &group)).await
    }

    async fn held_groups(&self, bot: &BotName, creator: i64) -> Result<Vec<PendingGroup>, LedgerError> {
        let bot = bot.clone();
        let find = move |conn: &Connection| {
            let sql = "SELECT body FROM held_groups WHERE bot = ?1 AND creator = ?2 LIMIT ?3";
            query_all(conn, sql, params![bot.as_str(), creator, MAX_HELD_GROUPS])
        };
        Ok(self.store.read(find).await?)
    }

    async fn held_group(&self, bot: &BotName, chat: &ChatId) -> Result<Option<PendingGroup>, LedgerError> {
        let (bot, chat) = (bot.clone(), chat.clone());
        Ok(self.store.read(move |conn| load_held_group(conn, &bot, &chat)).await?)
    }

    async fn release_group(&self, bot: &BotName, chat: &ChatId) -> Result<(), LedgerError> {
        let (bot, chat) = (bot.clone(), chat.clone());
        self.write(move |conn| delete_held_group(conn, &bot, &chat)).await
    }

    async fn introduce(&self, bot: &BotName, username: &str) -> Result<(), LedgerError> {
        let (bot, username) = (bot.clone(), username.to_owned());
        let keep = move |conn: &Connection| {
            let sql = "INSERT OR REPLACE INTO usernames (bot, username) VALUES (?1, ?2)";
            conn.prepare_cached(sql)?.execute(params![bot.as_str(), username])?;
            Ok(())
        };
        self.write(keep).await
    }

    async fn username(&self, bot: &BotName) -> Result<Option<String>, LedgerError> {
        let bot = bot.clone();
        let find = move |conn: &Connection| {
            let sql = "SELECT username FROM usernames WHERE bot = ?1";
            Ok(conn.prepare_cached(sql)?.query_row([bot.as_str()], |row| row.get(0)).optional()?)
        };
        Ok(self.store.read(find).await?)
    }
}

fn save_entry(conn: &Connection, recipient: &Recipient) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO recipients (bot, key, chat_id, body) VALUES (?1, ?2, ?3, ?4)";
    let Recipient { bot, address, chat_id, .. } = recipient;
    let values = params![bot.as_str(), address.key(), chat_id.to_string(), to_json(recipient)];
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn entries_of_chat(conn: &Connection, bot: &BotName, chat: &ChatId) -> Result<Vec<Recipient>, StoreError> {
    let sql = "SELECT body FROM recipients WHERE bot = ?1 AND chat_id = ?2 ORDER BY key";
    query_all(conn, sql, params![bot.as_str(), chat.to_string()])
}

fn save_held_group(conn: &Connection, group: &PendingGroup) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO held_groups (bot, chat_id, creator, body) VALUES (?1, ?2, ?3, ?4)";
    let values = params![group.bot.as_str(), group.chat_id.to_string(), group.creator, to_json(group)];
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn load_held_group(conn: &Connection, bot: &BotName, chat: &ChatId) -> Result<Option<PendingGroup>, StoreError> {
    let sql = "SELECT body FROM held_groups WHERE bot = ?1 AND chat_id = ?2";
    query_one(conn, sql, params![bot.as_str(), chat.to_string()])
}

fn delete_held_group(conn: &Connection, bot: &BotName, chat: &ChatId) -> Result<(), StoreError> {
    let sql = "DELETE FROM held_groups WHERE bot = ?1 AND chat_id = ?2";
    conn.prepare_cached(sql)?.execute(params![bot.as_str(), chat.to_string()])?;
    Ok(())
}

fn query_all<T: DeserializeOwned>(conn: &Connection, sql: &str, values: impl Params) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let bodies = statement.query_map(values, |row| row.get::<_, String>(0))?;
    bodies.map(|body| from_json("entry", &body?)).collect()
}

fn query_one<T: DeserializeOwned>(conn: &Connection, sql: &str, values: impl Params) -> Result<Option<T>, StoreError> {
    Ok(query_all(conn, sql, values)?.pop())
}
