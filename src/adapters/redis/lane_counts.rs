//! How much is open, by lane. How much there is by status its indexes say, which every version keeps; how much of it is in each lane is
//! counted beside them by the scripts that move a record. So that this is right although processes of a version that counts no
//! lanes may run beside, it is counted anew from the records, in small steps: when nobody has done so yet, and once an hour.

use super::ledger::{RedisLedger, millis};
use crate::domain::{BotName, Lane, Status};
use crate::ports::{LedgerError, OpenByLane};
use deadpool_redis::redis::Script;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::time::Instant;

/// The lanes that are counted; [`Lane::Normal`] is the rest.
const COUNTED: [Lane; 2] = [Lane::Urgent, Lane::Bulk];

/// After so long they are counted anew.
const COUNT_HOLDS: Duration = Duration::from_secs(3600);

/// Ids of each status of a bot that one script call looks at; with so many it goes on to no further bot. Redis does nothing else
/// meanwhile.
const LOOKED_AT_ONCE: usize = 100;

/// For so long a question counts anew; the next goes on with it.
const MAX_DURATION: Duration = Duration::from_millis(500);

/// Namespace and `counted again after (ms), how many ids of each status at most`: counts what of the next ids is in which lane, bot by
/// bot, if it is time to; when all are counted, what was counted takes the place of the present counts → whether there is more to count.
static COUNT: LazyLock<Script> = LazyLock::new(|| {
    script(
        r#"
local present, next = ns .. ':lanes', ns .. ':lanes:next'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counted_to, counted_at = redis.call('HGET', next, ''), redis.call('HGET', present, '')
if not counted_to and counted_at and now - counted_at < tonumber(ARGV[2]) then return 0 end
local limit, looked_at, bots = tonumber(ARGV[3]), 0, redis.call('SMEMBERS', ns .. ':i:bots')
table.sort(bots)
local last_bot, last = string.match(counted_to or '', '^(%S+) (%S*)$')
local place = 1
for i, bot in ipairs(bots) do
  if bot == last_bot then place = i end
end
if bots[place] ~= last_bot then last = '' end
while bots[place] and looked_at < limit do
  local bot, found, end_ = bots[place], {}, nil
  for i, status in ipairs(statuses) do
    local first = last ~= '' and '(' .. last or '-'
    found[i] = redis.call('ZRANGEBYLEX', ns .. ':i:bot:' .. bot .. ':' .. status, first, '+', 'LIMIT', 0, limit)
    -- There may be more of this status behind these, so the others are not counted beyond.
    local its_last = found[i][limit]
    if its_last and not (end_ and end_ < its_last) then end_ = its_last end
    looked_at = looked_at + 1 + #found[i]
  end
  for i, ids in ipairs(found) do
    for _, id in ipairs(ids) do
      if end_ and id > end_ then break end
      local record = ns .. ':n:' .. id
      local lane = string.match(redis.call('HGET', record, 'place') or '', ' (%a+)$')
        or string.match(redis.call('HGET', record, 'notification') or '', '"lane":"(%a+)"')
      if lane and lane ~= 'normal' then
        redis.call('HINCRBY', next, bot .. ' ' .. lane .. ' ' .. statuses[i], 1)
      end
    end
  end
  last = end_ or ''
  if not end_ then place = place + 1 end
end
redis.call('HSET', next, '', bots[place] and bots[place] .. ' ' .. last or now)
if bots[place] then return 1 end
redis.call('RENAME', next, present)
return 0
"#,
    )
});

/// Namespace and bots → of each how many are open, by status, and then how many of these are counted in each lane.
static READ: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local told = {}
for i = 2, #ARGV do
  local bot, counts, fields = ARGV[i], {}, {}
  for _, status in ipairs(statuses) do
    counts[#counts + 1] = redis.call('ZCARD', ns .. ':i:bot:' .. bot .. ':' .. status)
    for _, lane in ipairs(lanes) do fields[#fields + 1] = bot .. ' ' .. lane .. ' ' .. status end
  end
  for _, count in ipairs(redis.call('HMGET', ns .. ':lanes', unpack(fields))) do
    counts[#counts + 1] = tonumber(count or 0)
  end
  told[#told + 1] = counts
end
return told
",
    )
});

fn script(body: &str) -> Script {
    let list = |names: &[&str]| names.iter().map(|name| format!("'{name}', ")).collect::<String>();
    let (statuses, lanes) = (list(&Status::OPEN.map(Status::as_str)), list(&COUNTED.map(Lane::as_str)));
    Script::new(&format!("local ns, statuses, lanes = ARGV[1], {{ {statuses} }}, {{ {lanes} }}\n{body}"))
}

impl RedisLedger {
    /// How many are open of each of these bots, by lane and status.
    pub(super) async fn open_by_lane(&self, bots: &[BotName]) -> Result<Vec<OpenByLane>, LedgerError> {
        if bots.is_empty() {
            return Ok(Vec::new());
        }
        self.bots().await?;
        self.count_lanes().await?;
        let mut call = READ.arg(self.namespace());
        for bot in bots {
            call.arg(bot.as_str());
        }
        let told: Vec<Vec<i64>> = self.connections.script(&call).await?;
        Ok(told.iter().map(|counts| by_lane(counts)).collect())
    }

    /// Counts the lanes anew if it is time to, or goes on with that for a moment. Any number of processes may do so at a time.
    async fn count_lanes(&self) -> Result<(), LedgerError> {
        let deadline = Instant::now() + MAX_DURATION;
        let mut call = COUNT.arg(self.namespace());
        call.arg(millis(COUNT_HOLDS)).arg(LOOKED_AT_ONCE);
        while self.connections.script::<bool>(&call).await? && Instant::now() < deadline {}
        Ok(())
    }
}

/// Of what [`READ`] tells. What a version that counts no lanes has moved may be counted in the wrong one, but never twice.
fn by_lane(told: &[i64]) -> OpenByLane {
    let (of_status, counted) = told.split_at(Status::OPEN.len().min(told.len()));
    let mut open = OpenByLane::default();
    for ((status, all), counted) in Status::OPEN.into_iter().zip(of_status).zip(counted.chunks(COUNTED.len())) {
        let mut rest = all.unsigned_abs();
        for (lane, count) in COUNTED.into_iter().zip(counted) {
            let count = rest.min(count.max(&0).unsigned_abs());
            open.set(lane, status, count);
            rest -= count;
        }
        open.set(Lane::Normal, status, rest);
    }
    open
}
