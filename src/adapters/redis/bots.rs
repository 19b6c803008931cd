//! The bots that have records, and what a version before kept in place of the set of them: indexes of all records, by bot and by
//! status alone. What a bot's records of one status are is in an index of each version.

use super::ledger::RedisLedger;
use crate::domain::Status;
use crate::ports::LedgerError;
use deadpool_redis::redis::{self, Script};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::time::Instant;

/// Ids of a former index that one script call looks at: Redis does nothing else meanwhile.
const LOOKED_AT_ONCE: usize = 500;

/// For so long a question looks at a former index; the next goes on with it.
const MAX_DURATION: Duration = Duration::from_millis(500);

/// Namespace and `how many ids at most`: notes whose the first records are of the former index of all, and takes them out of it →
/// whether there are more, and the bots.
static BOTS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local all, bots, limit = ARGV[1] .. ':i:all', ARGV[1] .. ':i:bots', tonumber(ARGV[2])
local ids = redis.call('ZRANGE', all, 0, limit - 1)
for _, id in ipairs(ids) do
  local bot = redis.call('HGET', ARGV[1] .. ':n:' .. id, 'bot')
  if bot then redis.call('SADD', bots, bot) end
end
if #ids > 0 then redis.call('ZREMRANGEBYRANK', all, 0, limit - 1) end
return { #ids == limit and 1 or 0, redis.call('SMEMBERS', bots) }
",
    )
});

impl RedisLedger {
    /// The bots that have records.
    pub(super) async fn bots(&self) -> Result<Vec<String>, LedgerError> {
        let deadline = Instant::now() + MAX_DURATION;
        let mut call = BOTS.arg(self.namespace());
        call.arg(LOOKED_AT_ONCE);
        loop {
            let (more, bots) = self.connections.script::<(bool, Vec<String>)>(&call).await?;
            if !more || Instant::now() >= deadline {
                return Ok(bots);
            }
        }
    }

    /// Deletes the former indexes; but for that of all, which [`RedisLedger::bots`] takes apart. A process of a version before that
    /// runs beside still writes to them.
    pub(super) async fn delete_former_indexes(&self) -> Result<(), LedgerError> {
        let bots = self.bots().await?;
        let mut unlink = redis::cmd("UNLINK");
        unlink.arg(Status::ALL.map(|status| self.key("i:status", status.as_str())).to_vec());
        for bot in bots {
            unlink.arg(self.key("i:bot", bot));
        }
        self.connections.command::<u64>(&unlink).await.map(drop)
    }
}
