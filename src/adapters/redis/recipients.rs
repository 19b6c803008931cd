//! The recipient book. Every change of an entry is one script that checks first whether the entry is still as it was
//! read (optimistic locking): the hash, the listing and the chat's set change together, and no change overwrites another unseen.

use super::ledger::RedisLedger;
use crate::domain::{Address, BotName, ChatId, PendingGroup, Recipient, RecipientState};
use crate::ports::{LedgerError, RecipientPage, RecipientQuery, Recipients};
use async_trait::async_trait;
use deadpool_redis::redis::{self, Script};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::LazyLock;

/// More groups than this wait for nobody.
const MAX_HELD_GROUPS: usize = 1_000;

/// Namespace, bot, key and `expected, new` → 1, or 0 if the entry is not (any more) what was expected: `*` is
/// anything, empty is none. An empty `new` takes the entry out. A value is the chat, a space, and the entry as JSON.
static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, bot, key, expected, new = unpack(ARGV)
local book = ns .. ':r:' .. bot
local function chat_of(value) return ns .. ':rc:' .. bot .. ':' .. string.match(value, '^%S+') end
local old = redis.call('HGET', book, key)
if expected ~= '*' and expected ~= (old or '') then return 0 end
if old then redis.call('SREM', chat_of(old), key) end
if new == '' then
  redis.call('HDEL', book, key)
  redis.call('ZREM', ns .. ':ri:' .. bot, key)
  return old and 1 or 0
end
redis.call('HSET', book, key, new)
redis.call('ZADD', ns .. ':ri:' .. bot, 0, key)
redis.call('SADD', chat_of(new), key)
return 1
",
    )
});

impl RedisLedger {
    async fn change(&self, bot: &BotName, key: &str, expected: &str, new: &str) -> Result<bool, LedgerError> {
        let mut call = CHANGE.arg(self.namespace());
        call.arg(bot.as_str()).arg(key).arg(expected).arg(new);
        self.connections.script(&call).await
    }

    /// The entries of some keys, as written and as read, in the order of the keys; what has gone is left out.
    async fn entries(&self, bot: &BotName, keys: &[String]) -> Result<Vec<(String, Recipient)>, LedgerError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        let values: Vec<Option<String>> = self.connections.command(command.arg(self.key("r", bot)).arg(keys)).await?;
        values.into_iter().flatten().map(|value| read_entry(&value).map(|entry| (value, entry))).collect()
    }

    async fn entries_of_chat(&self, bot: &BotName, chat: &ChatId) -> Result<Vec<(String, Recipient)>, LedgerError> {
        let mut command = redis::cmd("SMEMBERS");
        let key = self.key("rc", format_args!("{bot}:{chat}"));
        let mut keys: Vec<String> = self.connections.command(command.arg(key)).await?;
        keys.sort_unstable();
        let mut entries = self.entries(bot, &keys).await?;
        // Some may have moved since the set was read.
        entries.retain(|(_, entry)| entry.chat_id == *chat);
        Ok(entries)
    }

    /// Changes every entry that leads to a chat, each as it is at that moment; how many.
    async fn change_all(
        &self,
        bot: &BotName,
        chat: &ChatId,
        changed: impl Fn(Recipient) -> Option<Recipient> + Send + Sync,
    ) -> Result<u64, LedgerError> {
        let mut count = 0;
        for (mut value, mut entry) in self.entries_of_chat(bot, chat).await? {
            let key = entry.address.key();
            loop {
                let new = changed(entry).map(|entry| written(&entry)).transpose()?.unwrap_or_default();
                if value == new || self.change(bot, &key, &value, &new).await? {
                    count += 1;
                    break;
                }
                // Somebody was faster.
                match self.entries(bot, std::slice::from_ref(&key)).await?.pop() {
                    Some((now, found)) if found.chat_id == *chat => (value, entry) = (now, found),
                    _ => break,
                }
            }
        }
        Ok(count)
    }
}

#[async_trait]
impl Recipients for RedisLedger {
    async fn put(&self, recipients: &[Recipient]) -> Result<(), LedgerError> {
        for recipient in recipients {
            self.change(&recipient.bot, &recipient.address.key(), "*", &written(recipient)?).await?;
        }
        Ok(())
    }

    async fn get(&self, bot: &BotName, address: &Address) -> Result<Option<Recipient>, LedgerError> {
        Ok(self.entries(bot, &[address.key()]).await?.pop().map(|(_, entry)| entry))
    }

    async fn of_chat(&self, bot: &BotName, chat: &ChatId) -> Result<Vec<Recipient>, LedgerError> {
        Ok(self.entries_of_chat(bot, chat).await?.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn delete(&self, bot: &BotName, address: &Address) -> Result<bool, LedgerError> {
        self.change(bot, &address.key(), "*", "").await
    }

    async fn list(&self, query: &RecipientQuery) -> Result<RecipientPage, LedgerError> {
        let (from, to) = query.bounds();
        let mut command = redis::cmd("ZRANGEBYLEX");
        command.arg(self.key("ri", &query.bot)).arg(format!("({from}")).arg(format!("({to}"));
        command.arg("LIMIT").arg(0).arg(query.limit + 1);
        let keys: Vec<String> = self.connections.command(&command).await?;
        let entries = self.entries(&query.bot, &keys).await?.into_iter().map(|(_, entry)| entry).collect();
        Ok(RecipientPage::of(entries, query.limit))
    }

    async fn set_state(&self, bot: &BotName, chat: &ChatId, state: RecipientState) -> Result<u64, LedgerError> {
        self.change_all(bot, chat, |entry| Some(Recipient { state, ..entry })).await
    }

    async fn rekey(&self, bot: &BotName, from: &ChatId, to: &ChatId) -> Result<u64, LedgerError> {
        let moved = self.change_all(bot, from, |entry| Some(Recipient { chat_id: to.clone(), ..entry })).await?;
        if let Some(group) = self.held_group(bot, from).await? {
            self.hold_group(&PendingGroup { chat_id: to.clone(), ..group }).await?;
            self.release_group(bot, from).await?;
        }
        Ok(moved)
    }

    async fn remove_chat(&self, bot: &BotName, chat: &ChatId) -> Result<u64, LedgerError> {
        self.release_group(bot, chat).await?;
        self.change_all(bot, chat, |_| None).await
    }

    async fn hold_group(&self, group: &PendingGroup) -> Result<(), LedgerError> {
        let mut command = redis::cmd("HSET");
        command.arg(self.key("rg", &group.bot)).arg(group.chat_id.to_string()).arg(json(group)?);
        self.connections.command::<u64>(&command).await.map(drop)
    }

    async fn held_groups(&self, bot: &BotName, creator: i64) -> Result<Vec<PendingGroup>, LedgerError> {
        let all: Vec<String> = self.connections.command(redis::cmd("HVALS").arg(self.key("rg", bot))).await?;
        let groups = all.iter().map(|text| read::<PendingGroup>(text)).filter(|group| match group {
            Ok(group) => group.creator == creator,
            Err(_) => true,
        });
        groups.take(MAX_HELD_GROUPS).collect()
    }

    async fn held_group(&self, bot: &BotName, chat: &ChatId) -> Result<Option<PendingGroup>, LedgerError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.key("rg", bot)).arg(chat.to_string());
        self.connections.command::<Option<String>>(&command).await?.map(|text| read(&text)).transpose()
    }

    async fn release_group(&self, bot: &BotName, chat: &ChatId) -> Result<(), LedgerError> {
        let mut command = redis::cmd("HDEL");
        command.arg(self.key("rg", bot)).arg(chat.to_string());
        self.connections.command::<u64>(&command).await.map(drop)
    }

    async fn introduce(&self, bot: &BotName, username: &str) -> Result<(), LedgerError> {
        let mut command = redis::cmd("HSET");
        command.arg(format!("{}:ru", self.namespace())).arg(bot.as_str()).arg(username);
        self.connections.command::<u64>(&command).await.map(drop)
    }

    async fn username(&self, bot: &BotName) -> Result<Option<String>, LedgerError> {
        let mut command = redis::cmd("HGET");
        self.connections.command(command.arg(format!("{}:ru", self.namespace())).arg(bot.as_str())).await
    }
}

fn written(recipient: &Recipient) -> Result<String, LedgerError> {
    Ok(format!("{} {}", recipient.chat_id, json(recipient)?))
}

fn read_entry(value: &str) -> Result<Recipient, LedgerError> {
    read(value.split_once(' ').map_or(value, |(_, json)| json))
}

fn json(value: &impl Serialize) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|_| unreadable())
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|_| unreadable())
}

fn unreadable() -> LedgerError {
    LedgerError::Unavailable("an entry of the recipient book is not readable".to_owned())
}
