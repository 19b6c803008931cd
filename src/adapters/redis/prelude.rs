//! What scripts about records share, as Lua. `ARGV[1]` is the namespace and `ARGV[2]` the id; in scripts with a notification its
//! bot, accepted_at, expires_at, itself, its chat, and its lane (empty if it keeps no order, a space if it waits for another)
//! are `ARGV` 3 to 8. JSON stays text: `cjson` would round numbers.

use super::callback_scripts::{CALLBACKS, TELL};
use crate::domain::Status;
use deadpool_redis::redis::Script;

/// What a script about a record shares with others. No more than it needs: Redis makes all functions of a script anew at each call.
#[derive(Clone, Copy)]
pub(super) enum Prelude {
    /// How a record moves.
    Record,
    /// The same, and whom its end is told.
    End,
    /// For a script with a notification.
    Notification,
    /// The same, and what is remembered of its chat.
    Chat,
    /// All of these.
    All,
}

/// A script about a record.
pub(super) fn script(prelude: Prelude, body: &str) -> Script {
    Script::new(&[ONE, &shared(prelude), body].concat())
}

/// A script that is called for many records at a time: its arguments are the namespace, and then how many are those of a call from
/// its id on, and these, for each call. It answers with a list for each: what the body returns, or an empty text and the error that
/// ended it, which ends no other.
pub(super) fn script_for_many(prelude: Prelude, body: &str) -> Script {
    Script::new(&[MANY, &shared(prelude), "local function once()", body, "end\n", EACH].concat())
}

const ONE: &str = r"
local ns, id = ARGV[1], ARGV[2]
local record = ns .. ':n:' .. id
";

const MANY: &str = r"
local all, ns, ARGV, id, record = ARGV, ARGV[1]
";

const EACH: &str = r"
local answers, first = {}, 2
while first <= #all do
  local last = first + all[first]
  ARGV = { ns, unpack(all, first + 1, last) }
  id = ARGV[2]
  record = ns .. ':n:' .. id
  put_fields, dropped_fields = {}, {}
  local is_done, answer = pcall(once)
  answers[#answers + 1] = is_done and { answer } or { '', type(answer) == 'table' and answer.err or tostring(answer) }
  first = last + 1
end
return answers
";

fn shared(prelude: Prelude) -> String {
    let table = |fits: fn(Status) -> bool| {
        let names = Status::ALL.into_iter().filter(|status| fits(*status));
        names.map(|status| format!("{} = true, ", status.as_str())).collect::<String>()
    };
    let (is_final, is_retryable) = (table(Status::is_final), table(Status::is_retryable));
    let statuses = format!("local final = {{ {is_final} }}\nlocal retryable = {{ {is_retryable} }}\n");
    let parts: &[&str] = match prelude {
        Prelude::Record => &[],
        Prelude::End => &[CALLBACKS, TELL],
        Prelude::Notification => &[NOTIFICATIONS],
        Prelude::Chat => &[NOTIFICATIONS, CHATS],
        Prelude::All => &[CALLBACKS, TELL, NOTIFICATIONS, CHATS],
    };
    [&statuses, RECORDS, &parts.concat()].concat()
}

/// How a record moves. While it is open it has a `place`: its chat and lane, by which it is found in the order of its chat.
const RECORDS: &str = r#"
-- Its fields change in one step, when all is said of them.
local put_fields, dropped_fields = {}, {}

local function put(field, value)
  put_fields[#put_fields + 1] = field
  put_fields[#put_fields + 1] = value
end

-- But not what is put, before or after.
local function drop(...)
  for _, field in ipairs({ ... }) do dropped_fields[#dropped_fields + 1] = field end
end

local function write()
  if #dropped_fields > 0 then redis.call('HDEL', record, unpack(dropped_fields)) end
  if #put_fields > 0 then redis.call('HSET', record, unpack(put_fields)) end
  put_fields, dropped_fields = {}, {}
end

local function order_key(bot, place)
  local chat, lane = string.match(place, '^(%S+) (%S+)$')
  return chat and ns .. ':o:' .. bot .. ':' .. chat .. ':' .. lane
end

local function leave(bot, place)
  local order = place and order_key(bot, place)
  if order then redis.call('ZREM', order, id) end
end

-- What is open counts in its lane, under `bot lane status`; but for the normal lane, which has what the index of the status has beyond
-- the others. While they are counted anew (`lane_counts`), that has gone through the bots up to one, and its ids up to one.
local function count(bot, notification, status, by)
  local lane = status and not final[status] and string.match(notification or '', '"lane":"(%a+)"')
  if not lane or lane == 'normal' then return end
  local field = bot .. ' ' .. lane .. ' ' .. status
  redis.call('HINCRBY', ns .. ':lanes', field, by)
  local last_bot, last_id = string.match(redis.call('HGET', ns .. ':lanes:next', '') or '', '^(%S+) (%S*)$')
  if last_bot and (bot < last_bot or bot == last_bot and id <= last_id) then
    redis.call('HINCRBY', ns .. ':lanes:next', field, by)
  end
end

-- With its notification as it was and as it is.
local function move(bot, old, new, former, present)
  if old ~= new or former ~= present then
    count(bot, former, old, -1)
    count(bot, present, new, 1)
  end
  if old == new then return end
  if old then
    redis.call('ZREM', ns .. ':i:bot:' .. bot .. ':' .. old, id)
  else
    redis.call('SADD', ns .. ':i:bots', bot)
  end
  redis.call('ZADD', ns .. ':i:bot:' .. bot .. ':' .. new, 0, id)
end

local function set(bot, old, new, at, notification, former)
  move(bot, old, new, former or notification, notification)
  put('status', new)
  put('updated_at', at)
  if final[new] then
    local expires_at, place = unpack(redis.call('HMGET', record, 'expires_at', 'place'))
    local done_at = tonumber(at) < tonumber(expires_at) and expires_at or at
    leave(bot, place)
    drop('reopening', 'next_attempt_at', 'noted', 'paused', 'place', 'begun', 'interrupted')
    put('done_at', done_at)
    redis.call('ZADD', ns .. ':done', done_at, id)
    redis.call('ZREM', ns .. ':open', id)
  elseif old then
    drop('reopening', 'next_attempt_at', 'noted', 'paused')
    if final[old] then
      drop('done_at')
      redis.call('ZREM', ns .. ':done', id)
    end
  end
end
"#;

/// For scripts with a notification.
const NOTIFICATIONS: &str = r"
local function is_older_than(generation)
  return tonumber(ARGV[4]) < tonumber(generation)
end

local function here() return ARGV[7] .. ' ' .. ARGV[8] end

-- Enters what is to be sent among the open ones, and in the order of its chat. Where it stood before its chat migrated, it
-- stands no longer; its record names the new chat.
local function enter(place, expires_at)
  if place == here() then return end
  if place then
    leave(ARGV[3], place)
    put('notification', ARGV[6])
  end
  put('place', here())
  local order = order_key(ARGV[3], here())
  if order then redis.call('ZADD', order, 0, id) end
  redis.call('ZADD', ns .. ':open', expires_at, id)
end

local function create_or_set(old, new, at)
  if not old then
    for i, field in ipairs({ 'bot', 'accepted_at', 'expires_at', 'notification' }) do put(field, ARGV[2 + i]) end
    if final[new] then write() end
  end
  set(ARGV[3], old, new, at, ARGV[6])
end

-- The digests from this argument on are needed until it expires.
local function pin(first)
  for i = first, #ARGV do redis.call('ZADD', ns .. ':pins', 'GT', ARGV[5], ARGV[i]) end
end

local function refuse(verdict, by) return { verdict, by, 0, 0, {} } end

-- An attempt behind those that there are.
local function append(attempts, attempt, kept, unless_last)
  local lines = {}
  for line in string.gmatch(attempts or '', '[^\n]+') do lines[#lines + 1] = line end
  if not (unless_last and lines[#lines] == attempt) then lines[#lines + 1] = attempt end
  local first = math.max(1, #lines - tonumber(kept) + 1)
  put('attempts', table.concat(lines, '\n', first))
end
";

/// What is remembered of a chat. A send that counts for a window is noted in the chat as `at:messages`, and in its record as
/// `at:messages:span`, by which its note is found again.
const CHATS: &str = r"
local patience, migration_kept = 30 * 60 * 1000, 30 * 24 * 3600 * 1000

local function chat_key(chat) return ns .. ':chat:' .. ARGV[3] .. ':' .. chat end

-- It says nothing any more after so many milliseconds, if not later.
local function keep(chat, millis)
  if redis.call('PTTL', chat) < millis then redis.call('PEXPIRE', chat, millis) end
end

local function read_sends(text, after)
  local sends = {}
  for at, messages in string.gmatch(text or '', '(%d+):(%d+)') do
    if tonumber(at) > after then sends[#sends + 1] = { at = tonumber(at), messages = tonumber(messages) } end
  end
  return sends
end

local function write_sends(chat, sends)
  table.sort(sends, function(a, b) return a.at < b.at end)
  for i, send in ipairs(sends) do sends[i] = send.at .. ':' .. send.messages end
  if #sends == 0 then return redis.call('HDEL', chat, 'sends') end
  redis.call('HSET', chat, 'sends', table.concat(sends, ' '))
end

-- When there is room for so many messages more: nil is now.
local function room_at(sends, limit, span, messages)
  local total, moment = messages, nil
  for _, send in ipairs(sends) do total = total + send.messages end
  for _, send in ipairs(sends) do
    if total <= limit then break end
    total, moment = total - send.messages, send.at + span
  end
  return moment
end

-- Moves the note of a send among others to a moment.
local function renote(sends, noted, at)
  local was, messages = string.match(noted or '', '^(%d+):(%d+):%d+$')
  for _, send in ipairs(sends) do
    if send.at == tonumber(was) and send.messages == tonumber(messages) then
      send.at = at
      return
    end
  end
end

-- Notes a send.
local function note(at, messages, span)
  local chat = chat_key(ARGV[7])
  local sends = read_sends(redis.call('HGET', chat, 'sends'), tonumber(at) - tonumber(span))
  sends[#sends + 1] = { at = tonumber(at), messages = tonumber(messages) }
  write_sends(chat, sends)
  keep(chat, tonumber(span))
end

-- Moves the note of a send to the moment when it was answered, or takes it back if nothing has left.
local function move_note(noted, at)
  local was, messages, span = string.match(noted or '', '^(%d+):(%d+):(%d+)$')
  if not was then return end
  local chat = chat_key(ARGV[7])
  local sends = read_sends(redis.call('HGET', chat, 'sends'), 0)
  for i, send in ipairs(sends) do
    if send.at == tonumber(was) and send.messages == tonumber(messages) then
      table.remove(sends, i)
      break
    end
  end
  write_sends(chat, sends)
  if at then note(at, messages, span) end
end

local function freeze(until_, now)
  local chat = chat_key(ARGV[7])
  local old = redis.call('HGET', chat, 'frozen_until')
  if old and tonumber(old) >= tonumber(until_) then return end
  redis.call('HSET', chat, 'frozen_until', until_)
  keep(chat, math.max(1, tonumber(until_) - tonumber(now)))
end

-- Lets nothing else begin for so long, and notes in its record what to take back: `until:before`. Kept for longer, since an album
-- waits for more than the end.
local function pause(at, millis)
  local chat, until_ = chat_key(ARGV[7]), tostring(at + millis)
  local before = redis.call('HGET', chat, 'paused_until') or 0
  redis.call('HSET', chat, 'paused_until', until_)
  put('paused', until_ .. ':' .. before)
  keep(chat, millis + patience)
end

-- Nothing has left: takes its pause back, unless there is another by now.
local function take_pause_back(paused)
  local until_, before = string.match(paused or '', '^(%d+):(%d+)$')
  local chat = chat_key(ARGV[7])
  if until_ and redis.call('HGET', chat, 'paused_until') == until_ then
    redis.call('HSET', chat, 'paused_until', before)
  end
end

-- A group is a supergroup now: it stays paused, if it was.
local function follow_migration(former_chat)
  local pauses, field = ns .. ':pauses', ARGV[3] .. ' ' .. former_chat
  local paused = redis.call('HGET', pauses, field)
  if not paused then return end
  redis.call('HSETNX', pauses, ARGV[3] .. ' ' .. ARGV[7], paused)
  redis.call('HDEL', pauses, field)
  redis.call('HINCRBY', pauses, '', 1)
end

-- Whether one that stands in the way for so long is taken for lost: its record is open and its message gone (the broker lost
-- neither, but a failover of Redis may lose the end of it). Only if it was asked about all the time and nothing happened to it.
local function is_lost(chat, blocker, updated_at, at)
  local field = 'behind:' .. ARGV[8]
  local whom, since, last = string.match(redis.call('HGET', chat, field) or '', '^(%S+) (%d+) (%d+)$')
  local fresh = whom ~= blocker or tonumber(updated_at) > tonumber(since) or at - tonumber(last) > patience / 3
  if fresh then since = at end
  redis.call('HSET', chat, field, blocker .. ' ' .. since .. ' ' .. at)
  keep(chat, patience)
  return at - tonumber(since) > patience
end

-- The one before it that is still to be sent, under one of its chat's ids. What has ended, or is lost, leaves; at most a
-- hundred at a time.
local function first_before(chat, passed, at)
  local order = order_key(ARGV[3], chat .. ' ' .. ARGV[8])
  if not order then return nil end
  local first
  for _ = 1, 100 do
    first = redis.call('ZRANGE', order, 0, 0)[1]
    if not first or first >= id then return nil end
    local status, updated_at, accepted_at =
      unpack(redis.call('HMGET', ns .. ':n:' .. first, 'status', 'updated_at', 'accepted_at'))
    local gone = not status or final[status] or first .. ':' .. accepted_at == passed
    if not gone and not is_lost(chat_key(chat), first, updated_at, at) then return first end
    redis.call('ZREM', order, first)
  end
  return first
end
";
