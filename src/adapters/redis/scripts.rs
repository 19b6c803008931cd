//! The transitions of a record, as Lua: each checks the status and moves the record with all its indexes, or does
//! nothing. What they share is in `prelude`.

use super::prelude::{Prelude, script, script_for_many};
use deadpool_redis::redis::Script;
use std::sync::LazyLock;

/// A notification and `status, at, digest…` → 1, or 0 if there is a record. Pins the digests until it expires.
pub(super) static CREATE: LazyLock<Script> = LazyLock::new(|| {
    script_for_many(
        Prelude::Notification,
        r"
pin(11)
if redis.call('EXISTS', record) == 1 then return 0 end
create_or_set(false, ARGV[9], ARGV[10])
enter(nil, ARGV[5])
write()
return 1
",
    )
});

/// A notification and `at, token, attempt, attempts kept, is checked, limit (empty: none), span (ms), messages, is in order,
/// passed, pause of the chat after it (ms), headroom after such a pause (ms), file_ids kept (s), key of a file_id…` → what to do (`go`, `skip`, `too_soon`, `behind`,
/// `migrated`, `paused`) and by what (a status, a moment, an id, a chat); then, for `go`, 1 if it was `sending` by another token (the attempt is appended and counted), the
/// count, and the file_ids or nothing in their place. The same
/// token again gets the same answer. Nothing is asked of one that is not checked: it has left already, and counts. `passed`: the
/// id and accepted_at of one that has ended, whatever its record says.
pub(super) static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    script_for_many(
        Prelude::Chat,
        r"
local old, generation, token, interrupted, cut_offs, place, last_note, last_pause, attempts =
  unpack(redis.call('HMGET', record, 'status', 'accepted_at', 'begun', 'interrupted', 'cut_offs', 'place', 'noted',
    'paused', 'attempts'))
if old and (final[old] or is_older_than(generation)) then return refuse('skip', old) end
local at, chat, is_again = tonumber(ARGV[9]), chat_key(ARGV[7]), old == 'sending' and token == ARGV[10]
local sends, limit = nil, tonumber(ARGV[14])
if ARGV[13] == '1' and not is_again then
  local frozen_until, paused_until, noted, migrated_to, former_chat =
    unpack(redis.call('HMGET', chat, 'frozen_until', 'paused_until', 'sends', 'migrated_to', 'migrated_from'))
  if migrated_to then
    keep(chat, migration_kept)
    return refuse('migrated', migrated_to)
  end
  local bot_pause, chat_pause = unpack(redis.call('HMGET', ns .. ':pauses', ARGV[3], ARGV[3] .. ' ' .. ARGV[7]))
  if bot_pause or chat_pause then return refuse('paused', '') end
  local free_at = math.max(tonumber(frozen_until or 0), paused_until and paused_until + tonumber(ARGV[20]) or 0)
  if free_at > at then return refuse('too_soon', tostring(free_at)) end
  if limit then
    local span, messages = tonumber(ARGV[15]), math.min(tonumber(ARGV[16]), limit)
    sends = read_sends(noted, at - span)
    local moment = room_at(sends, limit, span, messages)
    if moment then return refuse('too_soon', tostring(moment)) end
    -- An attempt that was interrupted may have left as late as now.
    if old == 'sending' then renote(sends, last_note, at) end
    sends[#sends + 1] = { at = at, messages = messages }
  end
  local first = ARGV[17] == '1' and (first_before(ARGV[7], ARGV[18], at)
    or former_chat and first_before(former_chat, ARGV[18], at))
  if first then return refuse('behind', first) end
elseif not is_again and ARGV[16] ~= '' then
  sends = read_sends(redis.call('HGET', chat, 'sends'), at - tonumber(ARGV[15]))
  sends[#sends + 1] = { at = at, messages = tonumber(ARGV[16]) }
end
create_or_set(old, 'sending', ARGV[9])
enter(place, ARGV[5])
if not is_again then
  interrupted = old == 'sending' and '1' or '0'
  put('begun', ARGV[10])
  put('interrupted', interrupted)
  if interrupted == '1' then
    append(attempts, ARGV[11], ARGV[12])
    cut_offs = (cut_offs or 0) + 1
    put('cut_offs', cut_offs)
  end
  if sends then
    put('noted', ARGV[9] .. ':' .. sends[#sends].messages .. ':' .. ARGV[15])
    write_sends(chat, sends)
    keep(chat, tonumber(ARGV[15]))
  end
  if ARGV[19] ~= '0' then pause(at, tonumber(ARGV[19])) end
else
  -- It has the notes that it had.
  if last_note then put('noted', last_note) end
  if last_pause then put('paused', last_pause) end
end
write()
local file_ids = {}
for i = 22, #ARGV do file_ids[#file_ids + 1] = redis.call('GETEX', ARGV[i], 'EX', ARGV[21]) end
return { 'go', '', tonumber(interrupted), tonumber(cut_offs or 0), file_ids }
",
    )
});

/// A notification and `status, at, attempt, attempts kept, message_id, file_id, failure, next_attempt_at, result,
/// token, frozen until, outcome of the attempt, span (ms), messages, file_ids kept (s), key and file_id…`, empty for none → 1, or 0 if it is final or was accepted
/// again later. One that was cancelled and then sent without the ledger is `sent`: that is what happened. An attempt equal to the last is that
/// attempt, written again after a lost answer. While the last attempt is by another token, an update that is not final changes
/// nothing: it comes from a worker that has lost the bot meanwhile, and would hide the attempt of the new owner.
/// What has left without the ledger, so that no begin has counted it, counts for its group's window from then on.
pub(super) static SETTLE: LazyLock<Script> = LazyLock::new(|| {
    script_for_many(
        Prelude::All,
        r"
local old, generation, begun, place, noted, paused, attempts =
  unpack(redis.call('HMGET', record, 'status', 'accepted_at', 'begun', 'place', 'noted', 'paused', 'attempts'))
local new, at, attempt, token, outcome = ARGV[9], ARGV[10], ARGV[11], ARGV[18], ARGV[20]
for i = 24, #ARGV, 2 do redis.call('SET', ARGV[i], ARGV[i + 1], 'EX', ARGV[23]) end
if ARGV[19] ~= '' then freeze(ARGV[19], at) end
if outcome == 'migrated' and place and place ~= here() then
  local former_chat = string.match(place, '^%S+')
  local left, present = chat_key(former_chat), chat_key(ARGV[7])
  redis.call('HSET', left, 'migrated_to', ARGV[7])
  keep(left, migration_kept)
  redis.call('HSET', present, 'migrated_from', former_chat)
  -- A circle ends here.
  redis.call('HDEL', present, 'migrated_to')
  keep(present, migration_kept)
  follow_migration(former_chat)
end
local was_sent_all_the_same = old == 'cancelled' and new == 'sent' and outcome == 'sent'
if old and (final[old] and not was_sent_all_the_same or is_older_than(generation)) then return 0 end
if begun and token ~= '' and token ~= begun and not final[new] then return 0 end
move_note(noted, attempt ~= '' and at)
if attempt ~= '' and not begun and ARGV[22] ~= '' then note(at, ARGV[22], ARGV[21]) end
if attempt == '' then take_pause_back(paused) end
create_or_set(old, new, at)
if not final[new] then
  enter(place, ARGV[5])
elseif place and place ~= here() then
  put('notification', ARGV[6])
end
if attempt ~= '' then append(attempts, attempt, ARGV[12], true) end
drop('failure')
for i, field in ipairs({ 'message_id', 'file_id', 'failure', 'next_attempt_at', 'result' }) do
  if ARGV[12 + i] ~= '' then put(field, ARGV[12 + i]) end
end
write()
if final[new] then tell(ARGV[6]) end
return 1
",
    )
});

/// `at` → what it is instead (`missing`, or a status that is too late), or empty and the record.
pub(super) static CANCEL: LazyLock<Script> = LazyLock::new(|| {
    script(
        Prelude::End,
        r"
local old, bot, accepted_at = unpack(redis.call('HMGET', record, 'status', 'bot', 'accepted_at'))
if not old then return { 'missing', {} } end
if final[old] or old == 'sending' then return { old, {} } end
local notification = redis.call('HGET', record, 'notification')
set(bot, old, 'cancelled', ARGV[3], notification)
write()
tell(notification)
local time = redis.call('TIME')
redis.call('ZADD', ns .. ':cancels', time[1] * 1000 + math.floor(time[2] / 1000), id .. ' ' .. accepted_at)
return { '', redis.call('HGETALL', record) }
",
    )
});

/// A notification and `status, now, milliseconds, whether ended ones too, digest…` → what it is instead, or empty and the record as it
/// was; pins the digests then. One whose reopening began so many milliseconds ago and came to nothing (a crash before the publish) may be
/// reopened, and one that has ended if so said. The record's `expires_at` stays the latest of all its acceptances: a copy of each may
/// still lie in the queue.
pub(super) static REOPEN: LazyLock<Script> = LazyLock::new(|| {
    script(
        Prelude::Notification,
        r"
local before = redis.call('HGETALL', record)
local old, reopening, expires_at, place, notification =
  unpack(redis.call('HMGET', record, 'status', 'reopening', 'expires_at', 'place', 'notification'))
if not old then return { 'missing', {} } end
local stuck = reopening and tonumber(ARGV[10]) - tonumber(reopening) >= tonumber(ARGV[11])
if not (ARGV[12] == '1' and retryable[old] or stuck) then return { old, {} } end
leave(ARGV[3], place)
set(ARGV[3], old, ARGV[9], ARGV[4], ARGV[6], notification)
if tonumber(expires_at) < tonumber(ARGV[5]) then expires_at = ARGV[5] end
put('notification', ARGV[6])
put('accepted_at', ARGV[4])
put('expires_at', expires_at)
put('reopening', ARGV[10])
drop('failure', 'message_id', 'file_id', 'result', 'begun', 'interrupted', 'cut_offs')
enter(nil, expires_at)
write()
pin(13)
return { '', before }
",
    )
});

/// `now, field, value…`: puts a record back as it was, if nothing has happened to it since it was reopened at `now`.
pub(super) static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    script(
        Prelude::Record,
        r"
local bot, status, reopening, place, notification =
  unpack(redis.call('HMGET', record, 'bot', 'status', 'reopening', 'place', 'notification'))
if reopening ~= ARGV[3] then return 0 end
leave(bot, place)
redis.call('ZREM', ns .. ':open', id)
redis.call('DEL', record)
redis.call('HSET', record, unpack(ARGV, 4))
local before, done_at, expires_at, former =
  unpack(redis.call('HMGET', record, 'status', 'done_at', 'expires_at', 'notification'))
move(bot, status, before, notification, former)
redis.call('ZADD', ns .. (done_at and ':done' or ':open'), done_at or expires_at, id)
return 1
",
    )
});

/// Without an id, `expired before, at, failure, at most`: ends as unknown what is open and has expired, the longest expired first
/// → their bots.
pub(super) static END_LOST: LazyLock<Script> = LazyLock::new(|| {
    script(
        Prelude::End,
        r"
local bots = {}
for _, lost in ipairs(redis.call('ZRANGEBYSCORE', ns .. ':open', '-inf', '(' .. ARGV[3], 'LIMIT', 0, ARGV[6])) do
  id, record = lost, ns .. ':n:' .. lost
  local bot, status, notification = unpack(redis.call('HMGET', record, 'bot', 'status', 'notification'))
  if status and not final[status] then
    set(bot, status, 'unknown', ARGV[4], notification)
    put('failure', ARGV[5])
    write()
    tell(notification)
    bots[#bots + 1] = bot
  else
    redis.call('ZREM', ns .. ':open', id)
  end
end
return bots
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
  if bot then redis.call('ZREM', ns .. ':i:bot:' .. bot .. ':' .. status, id) end
  redis.call('DEL', record)
  redis.call('ZREM', ns .. ':done', id)
end
return #ids
",
    )
});

/// `id, updated_at, packed` of each record: makes small what is still `sent` since that moment. It stays a hash, since other
/// scripts ask it for its status; its fields are short enough for Redis to keep it as one list (`hash-max-listpack-value`). What is
/// very long stays in one piece.
pub(super) static COMPACT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns = ARGV[1]
for i = 2, #ARGV, 3 do
  local id, packed = ARGV[i], ARGV[i + 2]
  local record = ns .. ':n:' .. id
  local status, updated_at, bot, done_at =
    unpack(redis.call('HMGET', record, 'status', 'updated_at', 'bot', 'done_at'))
  if status == 'sent' and updated_at == ARGV[i + 1] and done_at then
    local fields = { 'status', status, 'bot', bot, 'done_at', done_at }
    local size = #packed <= 4096 and 64 or #packed
    for first = 0, #packed - 1, size do
      fields[#fields + 1] = first / size
      fields[#fields + 1] = string.sub(packed, first + 1, first + size)
    end
    redis.call('DEL', record)
    redis.call('HSET', record, unpack(fields))
    local hour = math.floor(done_at / 3600000)
    redis.call('RPUSH', ns .. ':sent:' .. hour, id)
    redis.call('ZADD', ns .. ':sent', hour, hour)
    redis.call('ZADD', ns .. ':i:sent:' .. bot, 0, id)
    redis.call('ZREM', ns .. ':i:bot:' .. bot .. ':sent', id)
    redis.call('ZREM', ns .. ':done', id)
  end
end
",
    )
});

/// `done before, at most, left`: looks at small records of the oldest hour, so many of which are left to be looked at (0: at
/// none yet), and deletes those that were done before → how many, how many are left, and whether to go on.
pub(super) static SWEEP_COMPACTED: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local ns, before, left = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local hour = redis.call('ZRANGE', ns .. ':sent', 0, 0)[1]
if not hour or hour * 3600000 >= before then return { 0, 0, 0 } end
local bucket, deleted = ns .. ':sent:' .. hour, 0
if left == 0 then left = redis.call('LLEN', bucket) end
local ids = redis.call('LPOP', bucket, math.min(left, tonumber(ARGV[3]))) or {}
for _, id in ipairs(ids) do
  local record = ns .. ':n:' .. id
  local bot, done_at = unpack(redis.call('HMGET', record, 'bot', 'done_at'))
  if done_at and tonumber(done_at) >= before then
    redis.call('RPUSH', bucket, id)
  elseif done_at then
    redis.call('ZREM', ns .. ':i:sent:' .. bot, id)
    redis.call('DEL', record)
    deleted = deleted + 1
  end
end
left = left - #ids
if redis.call('EXISTS', bucket) == 0 then
  redis.call('ZREM', ns .. ':sent', hour)
  return { deleted, 0, 1 }
end
return { deleted, left, left > 0 and 1 or 0 }
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
