//! Callbacks as Lua. An event is a hash with the fields of a record, so that it is read like one, and its own; it is named by its
//! id, which begins with that of its notification.
//!
//! Each notification with events has a list of them, its line. Each host has a sorted set of the notifications that it is told of,
//! by the time when the first in their line is due; and all hosts are in one by when their first is, so that a host of which very
//! many wait holds up no other. Sorted sets by state are there to list and to count them.

use deadpool_redis::redis::Script;
use std::sync::LazyLock;

/// What these scripts share with those about records; `ns` is the namespace.
pub(super) const CALLBACKS: &str = r"
local cb = ns .. ':cb:'

local function callback_index(state) return cb .. 'i:' .. state end

-- Writes when the first callback of a host is due.
local function update_host(host)
  local first = redis.call('ZRANGE', cb .. 'due:' .. host, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', cb .. 'hosts', first[2], host)
  else
    redis.call('ZREM', cb .. 'hosts', host)
  end
end

local function set_due(host, notification_id, at)
  redis.call('ZADD', cb .. 'due:' .. host, at, notification_id)
  update_host(host)
end

-- Puts an event at the end of its line.
local function stand_in_line(event, notification_id, host, at)
  redis.call('ZADD', callback_index('waiting'), 0, event)
  redis.call('HSET', cb .. 'e:' .. event, 'state', 'waiting', 'tries', 0, 'since', at)
  if redis.call('RPUSH', cb .. 'of:' .. notification_id, event) == 1 then set_due(host, notification_id, at) end
end
";

/// For scripts about a record that has ended: appends its event to the log, if that is kept, and makes its callback, if its
/// notification says who is to be told. That is the last member of its JSON, so nothing that a caller has written can look like it.
pub(super) const TELL: &str = r#"
local function tell(notification)
  local url = string.match(string.sub(notification, -2100), ',"callback_url":"([^"]+)"}$')
  local is_logged = redis.call('EXISTS', ns .. ':events:after') == 1
  if not (url or is_logged) then return end
  local status, at, accepted_at, message_id, failure =
    unpack(redis.call('HMGET', record, 'status', 'updated_at', 'accepted_at', 'message_id', 'failure'))
  if status == 'refused' then return end
  local event = id .. '-' .. accepted_at .. '-' .. status
  if is_logged then redis.call('XADD', ns .. ':events', '*', 'end', event) end
  if not url then return end
  local key, host = cb .. 'e:' .. event, string.match(url, '^%a+://([^/?]+)')
  if redis.call('EXISTS', key) == 1 then return end
  redis.call('HSET', key, 'notification', notification, 'status', status, 'updated_at', at, 'host', host)
  if message_id then redis.call('HSET', key, 'message_id', message_id) end
  if failure then redis.call('HSET', key, 'failure', failure) end
  stand_in_line(event, id, host, at)
end
"#;

/// What the scripts about callbacks begin with: `ARGV[1]` is the namespace, `ARGV[2]` an event or a moment.
fn script(body: &str) -> Script {
    const EVENT: &str = r"
local function entry(event) return cb .. 'e:' .. event, string.sub(event, 1, 36) end

-- Takes an event out of its line, whose next one is due then.
local function leave_line(event, host, now)
  local _, notification_id = entry(event)
  local line = cb .. 'of:' .. notification_id
  local was_first = redis.call('LINDEX', line, 0) == event
  redis.call('LREM', line, 1, event)
  if not was_first then return end
  local next = redis.call('LINDEX', line, 0)
  if next then
    redis.call('HSET', cb .. 'e:' .. next, 'since', now)
    set_due(host, notification_id, now)
  else
    redis.call('ZREM', cb .. 'due:' .. host, notification_id)
    update_host(host)
  end
end
";
    Script::new(&["local ns = ARGV[1]\n", CALLBACKS, EVENT, body].concat())
}

/// `now, until, room in all, for each host, at most so many bytes, host and the room for it…` → event and fields of each.
pub(super) static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local now, until_, all, per_host, max_bytes = unpack(ARGV, 2, 6)
local of_hosts, named, claimed, bytes = {}, 0, {}, 0
for i = 7, #ARGV, 2 do
  of_hosts[ARGV[i]] = tonumber(ARGV[i + 1])
  named = named + 1
end
for _, host in ipairs(redis.call('ZRANGEBYSCORE', cb .. 'hosts', '-inf', now, 'LIMIT', 0, all + named)) do
  local due = cb .. 'due:' .. host
  local room = math.min(of_hosts[host] or tonumber(per_host), all - #claimed)
  if room > 0 and bytes < tonumber(max_bytes) then
    for _, notification_id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room)) do
      local event = redis.call('LINDEX', cb .. 'of:' .. notification_id, 0)
      if not event then
        redis.call('ZREM', due, notification_id)
      elseif bytes < tonumber(max_bytes) then
        redis.call('ZADD', due, until_, notification_id)
        local fields = redis.call('HGETALL', cb .. 'e:' .. event)
        for _, field in ipairs(fields) do bytes = bytes + #field end
        claimed[#claimed + 1] = { event, fields }
      end
    end
    update_host(host)
  end
end
return claimed
",
    )
});

/// `event, now`: forgets it, also if it was given up meanwhile.
pub(super) static DELIVERED: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local event, now = ARGV[2], ARGV[3]
local key = entry(event)
local state, host = unpack(redis.call('HMGET', key, 'state', 'host'))
if not state then return end
redis.call('ZREM', callback_index(state), event)
redis.call('ZREM', cb .. 'given_up', event)
redis.call('DEL', key)
if state ~= 'given_up' then leave_line(event, host, now) end
",
    )
});

/// `event, now, error, next`, without a next one given up.
pub(super) static FAILED: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local event, now, error, next_try = unpack(ARGV, 2, 5)
local key, notification_id = entry(event)
local state, host = unpack(redis.call('HMGET', key, 'state', 'host'))
if not state or state == 'given_up' then return end
local new = next_try ~= '' and 'failing' or 'given_up'
redis.call('ZREM', callback_index(state), event)
redis.call('ZADD', callback_index(new), 0, event)
redis.call('HINCRBY', key, 'tries', 1)
redis.call('HSET', key, 'state', new, 'error', error, 'due', next_try)
if new == 'failing' then
  set_due(host, notification_id, next_try)
else
  redis.call('ZADD', cb .. 'given_up', now, event)
  leave_line(event, host, now)
end
",
    )
});

/// `event, now` → 1 if it is there.
pub(super) static REPLAY: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local event, now = ARGV[2], ARGV[3]
local key, notification_id = entry(event)
local state, host = unpack(redis.call('HMGET', key, 'state', 'host'))
if not state then return 0 end
if state == 'failing' then
  -- It is the first in its line: no other is tried.
  redis.call('HSET', key, 'tries', 0, 'since', now, 'due', now)
  set_due(host, notification_id, now)
elseif state == 'given_up' then
  redis.call('ZREM', callback_index(state), event)
  redis.call('ZREM', cb .. 'given_up', event)
  redis.call('HDEL', key, 'error', 'due')
  stand_in_line(event, notification_id, host, now)
end
return 1
",
    )
});

/// `given up before, at most`: forgets them → how many.
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local events = redis.call('ZRANGEBYSCORE', cb .. 'given_up', '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
for _, event in ipairs(events) do
  redis.call('DEL', (entry(event)))
  redis.call('ZREM', callback_index('given_up'), event)
  redis.call('ZREM', cb .. 'given_up', event)
end
return #events
",
    )
});
