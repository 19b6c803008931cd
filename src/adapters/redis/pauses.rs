//! What operators have paused: one hash. Its fields are `bot` or `bot chat`, and the empty one, which counts the changes, so that who
//! follows them asks for one number.

use super::ledger::RedisLedger;
use super::record_fields::to_json;
use crate::domain::{Pause, PauseList, PauseTarget};
use crate::ports::{LedgerError, MAX_PAUSED_CHATS, Paused};
use deadpool_redis::redis::{self, Script};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Namespace, bot, chat (empty: the whole bot), the pause (empty: resume), the most chats → `new`, `many` or what it was before. A
/// group that is a supergroup now goes by its present id.
static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, bot, chat, pause, most = unpack(ARGV)
local pauses = ns .. ':pauses'
for _ = 1, 8 do
  local migrated_to = chat ~= '' and redis.call('HGET', ns .. ':chat:' .. bot .. ':' .. chat, 'migrated_to')
  if not migrated_to then break end
  chat = migrated_to
end
local field = chat == '' and bot or bot .. ' ' .. chat
local before = redis.call('HGET', pauses, field)
if pause == '' then
  if before then
    redis.call('HDEL', pauses, field)
    redis.call('HINCRBY', pauses, '', 1)
  end
  return { 'before', before or '' }
end
if before then return { 'before', before } end
if chat ~= '' then
  local others, start = 0, bot .. ' '
  for _, name in ipairs(redis.call('HKEYS', pauses)) do
    if string.sub(name, 1, #start) == start then others = others + 1 end
  end
  if others >= tonumber(most) then return { 'many', '' } end
end
redis.call('HSET', pauses, field, pause)
redis.call('HINCRBY', pauses, '', 1)
return { 'new', '' }
",
    )
});

impl RedisLedger {
    pub(super) async fn pause(&self, target: &PauseTarget, pause: &Pause) -> Result<Paused, LedgerError> {
        let (outcome, before) = self.change_pause(target, &to_json(pause)).await?;
        match outcome.as_str() {
            "new" => Ok(Paused::New),
            "many" => Ok(Paused::TooMany),
            _ => read(&before).map(Paused::Already),
        }
    }

    pub(super) async fn resume(&self, target: &PauseTarget) -> Result<Option<Pause>, LedgerError> {
        let (_, before) = self.change_pause(target, "").await?;
        if before.is_empty() { Ok(None) } else { read(&before).map(Some) }
    }

    /// The number of changes so far; 0 if there were none.
    pub(super) async fn count_pause_changes(&self) -> Result<u64, LedgerError> {
        let count: Option<u64> = self.connections.command(redis::cmd("HGET").arg(self.pauses_key()).arg("")).await?;
        Ok(count.unwrap_or_default())
    }

    /// All pauses.
    pub(super) async fn pauses(&self) -> Result<PauseList, LedgerError> {
        let fields: HashMap<String, String> =
            self.connections.command(redis::cmd("HGETALL").arg(self.pauses_key())).await?;
        let mut list = PauseList::default();
        for (field, pause) in fields {
            let (bot, chat) = field.split_once(' ').map_or((field.as_str(), None), |(bot, chat)| (bot, Some(chat)));
            if let (Ok(bot), Ok(chat)) = (bot.parse(), chat.map(str::parse).transpose()) {
                list.put(PauseTarget { bot, chat }, read(&pause)?);
            }
        }
        Ok(list)
    }

    async fn change_pause(&self, target: &PauseTarget, pause: &str) -> Result<(String, String), LedgerError> {
        let mut call = CHANGE.arg(self.namespace());
        call.arg(target.bot.as_str()).arg(target.chat.as_ref().map(ToString::to_string).unwrap_or_default());
        call.arg(pause).arg(MAX_PAUSED_CHATS);
        self.connections.script(&call).await
    }

    fn pauses_key(&self) -> String {
        format!("{}:pauses", self.namespace())
    }
}

fn read(pause: &str) -> Result<Pause, LedgerError> {
    serde_json::from_str(pause).map_err(|_| LedgerError::Unavailable("a pause is not readable".to_owned()))
}
