//! Which chats of a bot hold its backlog: from the places of what is open, or of an even sample.

use super::ledger::RedisLedger;
use crate::domain::{BotName, ChatId, Status, Timestamp};
use crate::ports::{BacklogTally, DeepestChats, Ledger, LedgerError, MAX_TALLIED, OpenByLane};
use deadpool_redis::redis::{self, Script};
use std::sync::LazyLock;

/// Records that one script call looks at: Redis does nothing else meanwhile, for a millisecond or two.
const LOOKED_AT_ONCE: u64 = 1_000;

/// Namespace, index, where to begin (empty: anywhere, at random), how many → chat, how many, the lowest id, and so on.
static TALLY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, index, first, count = unpack(ARGV)
local ids = first == '' and redis.call('ZRANDMEMBER', index, count)
  or redis.call('ZRANGE', index, first, first + count - 1)
local chats, found, oldest = {}, {}, {}
for _, id in ipairs(ids) do
  local chat = string.match(redis.call('HGET', ns .. ':n:' .. id, 'place') or '', '^%S+')
  if chat then
    if not found[chat] then
      chats[#chats + 1], found[chat], oldest[chat] = chat, 0, id
    end
    found[chat] = found[chat] + 1
    if id < oldest[chat] then oldest[chat] = id end
  end
end
local told = {}
for i, chat in ipairs(chats) do told[i] = { chat, found[chat], oldest[chat] } end
return told
",
    )
});

impl RedisLedger {
    pub(super) async fn deepest(&self, bot: &BotName, limit: usize) -> Result<DeepestChats, LedgerError> {
        let open =
            self.count_open(std::slice::from_ref(bot)).await?.first().map(OpenByLane::all_lanes).unwrap_or_default();
        let (all, mut tally) = (open.total(), BacklogTally::new(open));
        for status in Status::OPEN {
            let index = self.index_of(bot.as_str(), status);
            let is_whole = all <= MAX_TALLIED;
            // Of each status the same part; one that there is little of is looked at in full.
            let wanted = if is_whole { open.get(status) } else { (open.get(status) * MAX_TALLIED).div_ceil(all) };
            let mut looked_at = 0;
            while looked_at < wanted {
                let count = LOOKED_AT_ONCE.min(wanted - looked_at);
                let mut call = TALLY.arg(self.namespace());
                call.arg(&index).arg(if is_whole { looked_at.to_string() } else { String::new() }).arg(count);
                let found: Vec<(String, u64, String)> = self.connections.script(&call).await?;
                for (chat, count, oldest) in found {
                    if let (Ok(chat), Ok(oldest)) = (chat.parse(), oldest.parse()) {
                        tally.add(chat, status, count, oldest);
                    }
                }
                looked_at += count;
            }
        }
        let mut deepest = tally.deepest(limit);
        self.add_flood_waits(bot, &mut deepest).await?;
        Ok(deepest)
    }

    async fn add_flood_waits(&self, bot: &BotName, deepest: &mut DeepestChats) -> Result<(), LedgerError> {
        if deepest.chats.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::Pipeline::with_capacity(deepest.chats.len());
        let key = |chat: &ChatId| self.key("chat", format_args!("{bot}:{chat}"));
        for chat in &deepest.chats {
            pipeline.cmd("HGET").arg(key(&chat.chat)).arg("frozen_until");
        }
        let waits: Vec<Option<i64>> = self.connections.pipeline(&pipeline).await?;
        for (chat, until) in deepest.chats.iter_mut().zip(waits) {
            chat.flood_wait_until = until.map(Timestamp::from_unix_millis).filter(|until| *until > Timestamp::now());
        }
        Ok(())
    }
}
