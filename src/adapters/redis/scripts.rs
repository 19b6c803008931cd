//! The transitions of a record, as Lua: each checks the status and moves the record with all its indexes, or does
//! nothing. `ARGV[1]` is the namespace and `ARGV[2]` the id. JSON stays text: `cjson` would round numbers.

use crate::domain::Status;
use deadpool_redis::redis::Script;
use std::sync::LazyLock;

/// In front of every script: the final statuses, and how a record moves.
static PRELUDE: LazyLock<String> = LazyLock::new(|| {
    let table = |fits: fn(Status) -> bool| {
        let names = Status::ALL.into_iter().filter(|status| fits(*status));
        names.map(|status| format!("{} = true, ", status.as_str())).collect::<String>()
    };
    format!(
        "local final = {{ {} }}\nlocal retryable = {{ {} }}\n",
        table(Status::is_final),
        table(Status::is_retryable)
    ) + MOVE
});

const MOVE: &str = r"
local ns, id = ARGV[1], ARGV[2]
local record = ns .. ':n:' .. id

local function move(bot, old, new)
  if old == new then return end
  if old then
    redis.call('ZREM', ns .. ':i:status:' .. old, id)
    redis.call('ZREM', ns .. ':i:bot:' .. bot .. ':' .. old, id)
  else
    redis.call('ZADD', ns .. ':i:all', 0, id)
    redis.call('ZADD', ns .. ':i:bot:' .. bot, 0, id)
  end
  redis.call('ZADD', ns .. ':i:status:' .. new, 0, id)
  redis.call('ZADD', ns .. ':i:bot:' .. bot .. ':' .. new, 0, id)
end

local function set(bot, old, new, at)
  move(bot, old, new)
  redis.call('HSET', record, 'status', new, 'updated_at', at)
  redis.call('HDEL', record, 'reopening', 'next_attempt_at')
  if final[new] then
    local expires_at = redis.call('HGET', record, 'expires_at')
    local done_at = tonumber(at) < tonumber(expires_at) and expires_at or at
    redis.call('HSET', record, 'done_at', done_at)
    redis.call('ZADD', ns .. ':done', done_at, id)
  elseif old and final[old] then
    redis.call('HDEL', record, 'done_at')
    redis.call('ZREM', ns .. ':done', id)
  end
end

-- The rest is for scripts with a notification: its bot, accepted_at, expires_at and itself are ARGV 3 to 6.

local function is_older_than(generation)
  return tonumber(ARGV[4]) < tonumber(generation)
end

local function create_or_set(old, new, at)
  if not old then
    redis.call('HSET', record, 'bot', ARGV[3], 'accepted_at', ARGV[4], 'expires_at', ARGV[5], 'notification', ARGV[6])
  end
  set(ARGV[3], old, new, at)
end

local function append(attempt, kept, unless_last)
  local lines = {}
  for line in string.gmatch(redis.call('HGET', record, 'attempts') or '', '[^\n]+') do lines[#lines + 1] = line end
  if not (unless_last and lines[#lines] == attempt) then lines[#lines + 1] = attempt end
  local first = math.max(1, #lines - tonumber(kept) + 1)
  redis.call('HSET', record, 'attempts', table.concat(lines, '\n', first))
end
";

fn script(body: &str) -> Script {
    Script::new(&format!("{}{body}", *PRELUDE))
}

/// A notification and `status, at` → 1, or 0 if there is a record.
pub(super) static CREATE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('EXISTS', record) == 1 then return 0 end
create_or_set(false, ARGV[7], ARGV[8])
return 1
",
    )
});

/// A notification and `at, token, attempt, attempts kept` → the status that forbids it (empty: none), 1 if it was
/// `sending` by another token (then the attempt is appended and counted), and the count. The same token again gets the
/// same answer.
pub(super) static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local old, generation, token, interrupted =
  unpack(redis.call('HMGET', record, 'status', 'accepted_at', 'begun', 'interrupted'))
if old and (final[old] or is_older_than(generation)) then return { old, 0, 0 } end
create_or_set(old, 'sending', ARGV[7])
if old ~= 'sending' or token ~= ARGV[8] then
  interrupted = old == 'sending' and '1' or '0'
  redis.call('HSET', record, 'begun', ARGV[8], 'interrupted', interrupted)
  if interrupted == '1' then
    append(ARGV[9], ARGV[10])
    redis.call('HINCRBY', record, 'cut_offs', 1)
  end
end
return { '', tonumber(interrupted), tonumber(redis.call('HGET', record, 'cut_offs') or 0) }
",
    )
});

/// A notification and `status, at, attempt, attempts kept, message_id, file_id, failure, next_attempt_at, result,
/// token`, empty for none → 1, or 0 if it is final or was accepted again later. An attempt equal to the last is that
/// attempt, written again after a lost answer. While the record says `sending` by
/// another token, an update that is not final changes nothing: it comes from a worker that has lost the bot meanwhile, and
/// would hide the attempt of the new owner.
pub(super) static SETTLE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local old, generation, begun = unpack(redis.call('HMGET', record, 'status', 'accepted_at', 'begun'))
if old and (final[old] or is_older_than(generation)) then return 0 end
if old == 'sending' and not final[ARGV[7]] and ARGV[16] ~= '' and ARGV[16] ~= begun then return 0 end
create_or_set(old, ARGV[7], ARGV[8])
if ARGV[9] ~= '' then append(ARGV[9], ARGV[10], true) end
redis.call('HDEL', record, 'failure')
for i, field in ipairs({ 'message_id', 'file_id', 'failure', 'next_attempt_at', 'result' }) do
  if ARGV[10 + i] ~= '' then redis.call('HSET', record, field, ARGV[10 + i]) end
end
return 1
",
    )
});

/// `at` → what it is instead (`missing`, or a status that is too late), or empty and the record.
pub(super) static CANCEL: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local old, bot = unpack(redis.call('HMGET', record, 'status', 'bot'))
if not old then return { 'missing', {} } end
if final[old] or old == 'sending' then return { old, {} } end
set(bot, old, 'cancelled', ARGV[3])
return { '', redis.call('HGETALL', record) }
",
    )
});

/// A notification and `status, now, milliseconds` → what it is instead, or empty and the record as it was. One whose
/// reopening began so many milliseconds ago and came to nothing (a crash before the publish) may be reopened. The
/// record's `expires_at` stays the latest of all its acceptances: a copy of each may still lie in the queue.
pub(super) static REOPEN: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local before = redis.call('HGETALL', record)
local old, reopening, expires_at = unpack(redis.call('HMGET', record, 'status', 'reopening', 'expires_at'))
if not old then return { 'missing', {} } end
local stuck = reopening and tonumber(ARGV[8]) - tonumber(reopening) >= tonumber(ARGV[9])
if not (retryable[old] or stuck) then return { old, {} } end
set(ARGV[3], old, ARGV[7], ARGV[4])
if tonumber(expires_at) < tonumber(ARGV[5]) then expires_at = ARGV[5] end
redis.call('HSET', record, 'notification', ARGV[6], 'accepted_at', ARGV[4], 'expires_at', expires_at,
  'reopening', ARGV[8])
redis.call('HDEL', record, 'failure', 'message_id', 'file_id', 'result', 'begun', 'interrupted', 'cut_offs')
return { '', before }
",
    )
});

/// `now, field, value…`: puts a record back as it was, if nothing has happened to it since it was reopened at `now`.
pub(super) static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local bot, status, reopening = unpack(redis.call('HMGET', record, 'bot', 'status', 'reopening'))
if reopening ~= ARGV[3] then return 0 end
redis.call('DEL', record)
redis.call('HSET', record, unpack(ARGV, 4))
local before, done_at = unpack(redis.call('HMGET', record, 'status', 'done_at'))
move(bot, status, before)
if done_at then redis.call('ZADD', ns .. ':done', done_at, id) end
return 1
",
    )
});

/// `done before, at most`: deletes records that are final and have expired, oldest first → how many.
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns = ARGV[1]
local ids = redis.call('ZRANGEBYSCORE', ns .. ':done', '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do
  local record = ns .. ':n:' .. id
  local bot, status = unpack(redis.call('HMGET', record, 'bot', 'status'))
  redis.call('ZREM', ns .. ':i:all', id)
  if bot then
    redis.call('ZREM', ns .. ':i:bot:' .. bot, id)
    redis.call('ZREM', ns .. ':i:status:' .. status, id)
    redis.call('ZREM', ns .. ':i:bot:' .. bot .. ':' .. status, id)
  end
  redis.call('DEL', record)
  redis.call('ZREM', ns .. ':done', id)
end
return #ids
",
    )
});

/// Key and `fingerprint, id, accepted_at, status, kept (ms), abandoned after (ms)` → `new`, `taken` (over from one who
/// came to nothing), `busy`, `done` or `other` (another fingerprint), with the id, accepted_at and status to go by.
pub(super) static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fingerprint, id, accepted_at, status, done, reserved_at =
  unpack(redis.call('HMGET', KEYS[1], 'fingerprint', 'id', 'accepted_at', 'status', 'done', 'reserved_at'))
if not fingerprint then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'id', ARGV[2], 'accepted_at', ARGV[3], 'status', ARGV[4],
    'reserved_at', now)
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  return { 'new', ARGV[2], ARGV[3], ARGV[4] }
end
if fingerprint ~= ARGV[1] then return { 'other', '', '', '' } end
if done then return { 'done', id, accepted_at, status } end
if now - tonumber(reserved_at) < tonumber(ARGV[6]) then return { 'busy', id, accepted_at, status } end
redis.call('HSET', KEYS[1], 'reserved_at', now)
return { 'taken', id, accepted_at, status }
",
    )
});

/// Key and `field, value`: sets a field of a key that is still there; a bare `HSET` would leave one that never expires.
pub(super) static MARK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(r"return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) or 0")
});

/// Key and `value`: deletes the key if it holds the value.
pub(super) static EVICT: LazyLock<Script> =
    LazyLock::new(|| Script::new(r"return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"));
