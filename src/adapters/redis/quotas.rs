//! The quotas port: a counter per client and day.

use super::ledger::RedisLedger;
use crate::domain::ClientName;
use crate::ports::{Day, LedgerError, Quotas, Taken};
use async_trait::async_trait;
use deadpool_redis::redis::Script;
use std::sync::LazyLock;

/// How long a counter is kept: its day, and another in case the clocks of the processes differ.
const KEPT_SECONDS: u64 = 2 * 24 * 3600;

/// The counter, what to add, the limit, how long to keep it → whether it was added, and what is counted now.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local key, cost, limit, kept = unpack(ARGV)
local used = tonumber(redis.call('GET', key) or '0')
if used + tonumber(cost) > tonumber(limit) then return {0, used} end
used = redis.call('INCRBY', key, cost)
redis.call('EXPIRE', key, kept)
return {1, used}
",
    )
});

/// The counter, and what to take off it.
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local key, cost = unpack(ARGV)
local used = tonumber(redis.call('GET', key) or '0')
if used > 0 then redis.call('DECRBY', key, math.min(used, tonumber(cost))) end
return 1
",
    )
});

impl RedisLedger {
    fn quota_key(&self, client: &ClientName, day: Day) -> String {
        self.key("quota", format_args!("{client}:{}", day.number()))
    }
}

#[async_trait]
impl Quotas for RedisLedger {
    async fn take(&self, client: &ClientName, day: Day, cost: u32, limit: u64) -> Result<Taken, LedgerError> {
        let mut call = TAKE.arg(self.quota_key(client, day));
        call.arg(cost).arg(limit).arg(KEPT_SECONDS);
        let (counted, used) = self.connections.script::<(bool, u64)>(&call).await?;
        Ok(Taken { counted, used })
    }

    async fn give_back(&self, client: &ClientName, day: Day, cost: u32) -> Result<(), LedgerError> {
        let mut call = GIVE_BACK.arg(self.quota_key(client, day));
        call.arg(cost);
        self.connections.script::<u32>(&call).await.map(drop)
    }
}
