//! The port of the log of ends: a stream, whose ids Redis gives in the order in which it is written to. The scripts about records
//! write to it (`TELL` in [`callback_scripts`](super::callback_scripts)).

use super::ledger::{RedisLedger, millis};
use super::record_fields::{RecordFields, read_listed_record};
use crate::domain::{CallbackId, EventId, NotificationId, Record};
use crate::ports::{EventLog, EventPage, LedgerError};
use async_trait::async_trait;
use deadpool_redis::redis::Script;
use std::sync::LazyLock;
use std::time::Duration;

/// Records fetched by one pipeline. They come whole, and are larger than what is kept of them.
const FETCHED_AT_ONCE: usize = 20;

/// A page ends early once its records have more bytes than this.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

const BOUNDS: &str = r"
local stream, mark = ARGV[1] .. ':events', ARGV[1] .. ':events:after'
local whole_after = redis.call('GET', mark)
local function last()
  local entry = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return entry and entry[1] or whole_after
end
";

fn script(body: &str) -> Script {
    Script::new(&[BOUNDS, body].concat())
}

/// `milliseconds` → where the log ends. A log that begins does so with an entry of its own: the clock of Redis may have stood
/// still since the last one.
static KEEP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not whole_after then
  redis.call('XTRIM', stream, 'MAXLEN', 0)
  whole_after = redis.call('XADD', stream, '*', 'begin', '')
  redis.call('SET', mark, whole_after)
end
redis.call('PEXPIRE', mark, ARGV[2])
return last()
",
    )
});

/// `id, at most` → after which id it is whole (empty: it is not kept), where it ends, and id and value of each entry.
static AFTER: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not whole_after then return { '', '', {} } end
local found = {}
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. ARGV[2], '+', 'COUNT', ARGV[3])) do
  found[#found + 1] = { entry[1], entry[2][2] }
end
return { whole_after, last(), found }
",
    )
});

/// `id`: forgets what is before it, or all if the log is not kept → how many. What came after the last of them is whole.
static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if not whole_after then return redis.call('XTRIM', stream, 'MAXLEN', 0) end
local gone = redis.call('XREVRANGE', stream, '(' .. ARGV[2], '-', 'COUNT', 1)[1]
if not gone then return 0 end
redis.call('SET', mark, gone[1], 'KEEPTTL')
return redis.call('XTRIM', stream, 'MINID', ARGV[2])
",
    )
});

#[async_trait]
impl EventLog for RedisLedger {
    async fn keep(&self, retention: Duration) -> Result<EventId, LedgerError> {
        let mut call = KEEP.arg(self.namespace());
        read_id(&self.connections.script::<String>(call.arg(millis(retention))).await?)
    }

    async fn after(&self, id: EventId, limit: usize) -> Result<Option<EventPage>, LedgerError> {
        let mut call = AFTER.arg(self.namespace());
        call.arg(id.to_string()).arg(limit);
        let answer: (String, String, Vec<(String, String)>) = self.connections.script(&call).await?;
        let (whole_after, last, found) = answer;
        if whole_after.is_empty() {
            return Ok(None);
        }
        let (whole_after, last) = (read_id(&whole_after)?, read_id(&last)?);
        if id > last {
            return Ok(Some(EventPage { events: Vec::new(), next: last, more: false, gap: Some(last) }));
        }
        let gap = (id < whole_after).then_some(whole_after);
        let (mut events, mut next, mut bytes) = (Vec::new(), gap.unwrap_or(id), 0);
        for batch in found.chunks(FETCHED_AT_ONCE) {
            if bytes > MAX_PAGE_BYTES {
                break;
            }
            let ends: Vec<Option<CallbackId>> = batch.iter().map(|(_, end)| end.parse().ok()).collect();
            let ids: Vec<NotificationId> = ends.iter().flatten().map(|end| end.notification).collect();
            let mut fields = if ids.is_empty() { Vec::new() } else { self.fields(&ids).await? }.into_iter();
            for ((entry, _), end) in batch.iter().zip(ends) {
                next = next.max(read_id(entry)?);
                // What is no end is where the log begins.
                let (Some(end), Some(fields)) = (end, end.and_then(|_| fields.next())) else { continue };
                bytes += fields.values().map(Vec::len).sum::<usize>();
                events.extend(ended(end, &fields).map(|record| (next, record)));
            }
        }
        Ok(Some(EventPage { events, next, more: next < last, gap }))
    }

    async fn sweep(&self, before: EventId) -> Result<u64, LedgerError> {
        let mut call = SWEEP.arg(self.namespace());
        self.connections.script(call.arg(before.to_string())).await
    }
}

/// The record, if this is how it ended last.
fn ended(end: CallbackId, fields: &RecordFields) -> Option<Record> {
    // A small record has no such field; it was sent, which happens once.
    let accepted_at = fields.get("accepted_at").and_then(|text| std::str::from_utf8(text).ok()?.parse::<i64>().ok());
    if accepted_at.is_some_and(|at| at != end.accepted_at.unix_millis()) {
        return None;
    }
    // One that is not readable (written by a newer version) must not hide the others.
    let record = read_listed_record(end.notification, fields)
        .inspect_err(|error| tracing::warn!(%error, "left out of the events"));
    record.ok().flatten().filter(|record| record.status == end.status)
}

fn read_id(text: &str) -> Result<EventId, LedgerError> {
    text.parse().map_err(|_| LedgerError::Unavailable("the id of an event is not readable".to_owned()))
}
