//! The operations port: a hash per operation, and sorted sets of all, of the open and of the finished ones.

use super::ledger::{RedisLedger, millis};
use super::record_fields::{optional_argument, to_json};
use crate::domain::{Operation, OperationId, Sha256, Timestamp};
use crate::ports::{Created, Idempotency, LedgerError, Operations};
use async_trait::async_trait;
use deadpool_redis::redis::{self, Script};
use std::sync::LazyLock;
use std::time::Duration;

/// Operations forgotten by one script call.
const SWEPT_AT_ONCE: usize = 100;

/// Namespace, id, body, key (empty: none), fingerprint, how long the key is kept (ms) → `new`, `earlier` with the body, or `reused`.
static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, id, body, key, fingerprint, kept = unpack(ARGV)
if key ~= '' then
  local earlier, told = unpack(redis.call('HMGET', key, 'id', 'fingerprint'))
  if earlier then
    if told ~= fingerprint then return { 'reused', '' } end
    return { 'earlier', redis.call('HGET', ns .. ':op:' .. earlier, 'body') or '' }
  end
  redis.call('HSET', key, 'id', id, 'fingerprint', fingerprint)
  redis.call('PEXPIRE', key, kept)
end
redis.call('HSET', ns .. ':op:' .. id, 'body', body)
redis.call('ZADD', ns .. ':ops', 0, id)
redis.call('ZADD', ns .. ':ops:open', 0, id)
return { 'new', '' }
",
    )
});

/// Namespace, holder, lease (ms) → the body of the oldest open one that is free or the holder's, or nothing.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, holder, lease = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGE', ns .. ':ops:open', 0, -1)) do
  local operation = ns .. ':op:' .. id
  local body, held_by, held_until = unpack(redis.call('HMGET', operation, 'body', 'holder', 'held_until'))
  if not body then
    redis.call('ZREM', ns .. ':ops:open', id)
  elseif held_by == holder or not held_until or tonumber(held_until) < now then
    redis.call('HSET', operation, 'holder', holder, 'held_until', now + lease)
    return body
  end
end
return false
",
    )
});

/// Namespace, id, holder, lease (ms), body, finished at (empty: not) → whether it was written.
static SAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, id, holder, lease, body, finished_at = unpack(ARGV)
local operation = ns .. ':op:' .. id
if redis.call('HGET', operation, 'holder') ~= holder then return 0 end
if not redis.call('ZSCORE', ns .. ':ops:open', id) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', operation, 'body', body, 'held_until', now + lease)
if finished_at ~= '' then
  redis.call('ZREM', ns .. ':ops:open', id)
  redis.call('ZADD', ns .. ':ops:done', finished_at, id)
end
return 1
",
    )
});

/// Namespace, finished before, at most → how many were forgotten.
static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, before, most = unpack(ARGV)
local ids = redis.call('ZRANGEBYSCORE', ns .. ':ops:done', '-inf', '(' .. before, 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  redis.call('DEL', ns .. ':op:' .. id)
  redis.call('ZREM', ns .. ':ops', id)
  redis.call('ZREM', ns .. ':ops:done', id)
end
return #ids
",
    )
});

#[async_trait]
impl Operations for RedisLedger {
    async fn create(&self, operation: &Operation, key: Option<&Idempotency>) -> Result<Created, LedgerError> {
        let mut call = CREATE.arg(self.namespace());
        call.arg(operation.id.to_string()).arg(to_json(operation));
        call.arg(optional_argument(key, |key| self.key("opk", Sha256::of(key.key.as_bytes()))));
        call.arg(optional_argument(key, |key| key.fingerprint.clone())).arg(millis(Idempotency::RETENTION));
        let (outcome, body) = self.connections.script::<(String, String)>(&call).await?;
        match outcome.as_str() {
            "new" => Ok(Created::New),
            "reused" => Ok(Created::KeyReused),
            _ => read(&body).map(|earlier| Created::Earlier(Box::new(earlier))),
        }
    }

    async fn get(&self, id: OperationId) -> Result<Option<Operation>, LedgerError> {
        let body: Option<String> =
            self.connections.command(redis::cmd("HGET").arg(self.key("op", id)).arg("body")).await?;
        body.map(|body| read(&body)).transpose()
    }

    async fn list(&self, limit: usize) -> Result<Vec<Operation>, LedgerError> {
        let mut command = redis::cmd("ZREVRANGE");
        command.arg(format!("{}:ops", self.namespace())).arg(0).arg(limit.saturating_sub(1));
        let ids: Vec<String> = self.connections.command(&command).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::Pipeline::with_capacity(ids.len());
        for id in ids {
            pipeline.cmd("HGET").arg(self.key("op", id)).arg("body");
        }
        let bodies: Vec<Option<String>> = self.connections.pipeline(&pipeline).await?;
        bodies.into_iter().flatten().map(|body| read(&body)).collect()
    }

    async fn take(&self, holder: &str, lease: Duration) -> Result<Option<Operation>, LedgerError> {
        let mut call = TAKE.arg(self.namespace());
        call.arg(holder).arg(millis(lease));
        let body: Option<String> = self.connections.script(&call).await?;
        body.map(|body| read(&body)).transpose()
    }

    async fn save(&self, operation: &Operation, holder: &str, lease: Duration) -> Result<bool, LedgerError> {
        let mut call = SAVE.arg(self.namespace());
        call.arg(operation.id.to_string()).arg(holder).arg(millis(lease)).arg(to_json(operation));
        call.arg(optional_argument(operation.progress.finished_at.as_ref(), |at| at.unix_millis().to_string()));
        self.connections.script(&call).await
    }

    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        let mut swept = 0;
        loop {
            let mut call = SWEEP.arg(self.namespace());
            call.arg(finished_before.unix_millis()).arg(SWEPT_AT_ONCE);
            let forgotten: u64 = self.connections.script(&call).await?;
            swept += forgotten;
            if forgotten < SWEPT_AT_ONCE as u64 {
                return Ok(swept);
            }
        }
    }
}

fn read(body: &str) -> Result<Operation, LedgerError> {
    let unreadable = |_| LedgerError::Unavailable("an operation is not readable".to_owned());
    serde_json::from_str(body).map_err(unreadable)
}
