//! The rows of the log of ends and the SQL on them. The one writer gives the numbers, so they are in the order of the commits.

use super::callback_rows;
use super::columns::{from_json, id_bytes};
use super::limits::{MAX_PAGE_BYTES, SWEEP_STEP_ROWS};
use super::record_rows::text;
use super::record_state::{self, RecordState};
use super::store_error::StoreError;
use crate::domain::{EventId, ListedNotification, ListedResult, Record, Status, Timestamp};
use crate::ports::EventPage;
use rusqlite::{Connection, OptionalExtension, params};

/// A number is an id in these bits below its milliseconds.
const NUMBER_BITS: u32 = 20;

/// The highest number of any table.
const LAST_NUMBER: &str = "coalesce((SELECT max(number) FROM events), 0)";

/// What came after a number, and so much of it at the most.
const PAGE: &str = "SELECT events.number, events.accepted_at, events.status, records.body, bodies.body FROM events
    LEFT JOIN records ON records.id = events.id LEFT JOIN bodies ON bodies.number = records.number
    WHERE events.number > ?1 ORDER BY events.number LIMIT ?2";

/// The row number that an id stands for; what is beyond all numbers, as only a caller can make it, is the highest.
fn row_number(id: EventId) -> i64 {
    let millis = id.millis.min((1 << (63 - NUMBER_BITS)) - 1);
    let number = u64::from(id.number).min((1 << NUMBER_BITS) - 1);
    i64::try_from(millis << NUMBER_BITS | number).unwrap_or(i64::MAX)
}

fn event_id(row_number: i64) -> EventId {
    let bits = row_number.unsigned_abs();
    let number = u32::try_from(bits & ((1 << NUMBER_BITS) - 1)).unwrap_or_default();
    EventId { millis: bits >> NUMBER_BITS, number }
}

/// Writes beside a record that has ended who is to be told of it: its receiver, and whoever reads the log while that is kept.
pub fn append_end(conn: &Connection, record: &Record) -> Result<(), StoreError> {
    callback_rows::make(conn, record)?;
    if !record.status.is_final() || record.status == Status::Refused {
        return Ok(());
    }
    let (now, notification) = (Timestamp::now(), &record.notification);
    let sql = format!(
        "INSERT INTO events (number, id, accepted_at, status)
        SELECT max(?1, whole_after + 1, {LAST_NUMBER} + 1), ?2, ?3, ?4 FROM event_log WHERE kept_until > ?5"
    );
    conn.prepare_cached(&sql)?.execute(params![
        row_number(EventId::first_of(now)),
        id_bytes(notification.id),
        notification.accepted_at.unix_millis(),
        record.status.as_str(),
        now.unix_millis(),
    ])?;
    Ok(())
}

/// See [`EventLog::keep`](crate::ports::EventLog::keep).
pub fn keep(conn: &Connection, now: Timestamp, until: Timestamp) -> Result<EventId, StoreError> {
    let sql = format!(
        "UPDATE event_log SET kept_until = max(kept_until, ?1), whole_after =
            CASE WHEN kept_until > ?2 THEN whole_after ELSE max(?3, whole_after, {LAST_NUMBER}) END
        RETURNING max(whole_after, {LAST_NUMBER})"
    );
    let values = [until.unix_millis(), now.unix_millis(), row_number(EventId::first_of(now))];
    Ok(conn.prepare_cached(&sql)?.query_row(values, |row| row.get(0)).map(event_id)?)
}

/// See [`EventLog::after`](crate::ports::EventLog::after).
pub fn page(conn: &Connection, after: EventId, limit: usize) -> Result<Option<EventPage>, StoreError> {
    // Of one moment: no sweep comes in between.
    let conn = conn.unchecked_transaction()?;
    let sql = format!("SELECT whole_after, max(whole_after, {LAST_NUMBER}) FROM event_log WHERE kept_until > ?1");
    let bounds = |row: &rusqlite::Row<'_>| Ok((event_id(row.get(0)?), event_id(row.get(1)?)));
    let mut select = conn.prepare_cached(&sql)?;
    let found = select.query_row([Timestamp::now().unix_millis()], bounds).optional()?;
    let Some((whole_after, last)) = found else { return Ok(None) };
    if after > last {
        return Ok(Some(EventPage { events: Vec::new(), next: last, more: false, gap: Some(last) }));
    }
    let gap = (after < whole_after).then_some(whole_after);
    let mut select = conn.prepare_cached(PAGE)?;
    let (mut events, mut next, mut bytes) = (Vec::new(), gap.unwrap_or(after), 0);
    let mut rows = select.query(params![row_number(next), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()?.filter(|_| bytes < MAX_PAGE_BYTES) {
        next = event_id(row.get(0)?);
        bytes +=
            [3, 4].iter().filter_map(|column| Some(row.get_ref(*column).ok()?.as_str().ok()?.len())).sum::<usize>();
        // One that is not readable must not hide the others.
        let record = ended(row).inspect_err(|error| tracing::warn!(%error, "left out of the events"));
        events.extend(record.ok().flatten().map(|record| (next, record)));
    }
    Ok(Some(EventPage { events, next, more: next < last, gap }))
}

/// The record of a row, if it is there and this is how it ended last.
fn ended(row: &rusqlite::Row<'_>) -> Result<Option<Record>, StoreError> {
    let Some(state) = row.get::<_, Option<String>>(3)? else { return Ok(None) };
    let state: RecordState<ListedResult> = record_state::read(&state)?;
    if state.accepted_at.unix_millis() != row.get::<_, i64>(1)? || state.status.as_str() != text(row, 2)? {
        return Ok(None);
    }
    let notification = from_json::<ListedNotification>("record", text(row, 4)?)?.into();
    Ok(Some(state.into_record(notification, ListedResult::into_value)))
}

/// A step of [`EventLog::sweep`](crate::ports::EventLog::sweep).
pub fn sweep(conn: &Connection, before: EventId) -> Result<usize, StoreError> {
    let now = Timestamp::now().unix_millis();
    let kept = "SELECT EXISTS (SELECT 1 FROM event_log WHERE kept_until > ?1)";
    let is_kept: bool = conn.prepare_cached(kept)?.query_row([now], |row| row.get(0))?;
    let before = if is_kept { row_number(before) } else { i64::MAX };
    let sql = "SELECT max(number) FROM (SELECT number FROM events WHERE number < ?1 ORDER BY number LIMIT ?2)";
    let last: Option<i64> = conn.prepare_cached(sql)?.query_row([before, SWEEP_STEP_ROWS], |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    conn.prepare_cached("UPDATE event_log SET whole_after = max(whole_after, ?1)")?.execute([last])?;
    Ok(conn.prepare_cached("DELETE FROM events WHERE number <= ?1")?.execute([last])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Notification, RecordUpdate};
    use serde_json::json;
    use std::time::Duration;

    fn at(millis: i64) -> Timestamp {
        let moment = Timestamp::from_unix_millis(millis);
        Timestamp::set_clock(Some(Box::new(move || moment)));
        moment
    }

    fn sent(number: u128) -> Record {
        let notification: Notification = serde_json::from_value(json!({
            "v": 1, "id": uuid::Uuid::from_u128(number), "bot": "default", "chat_id": 5, "lane": "normal",
            "delivery": "at_least_once", "call": {"method": "sendMessage", "params": {}, "media": []},
            "accepted_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z",
        }))
        .unwrap();
        let mut record = Record::accepted(notification);
        record.apply(RecordUpdate::of(Status::Sent, Timestamp::now()));
        record
    }

    #[test]
    fn numbers_go_up_whatever_the_clock_does_and_a_page_is_found_by_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = super::super::schema::open_writer(&folder.path().join("queue.db")).unwrap();
        super::super::schema::prepare_writer(&mut conn).unwrap();
        let now = at(1_000_000);
        let start = keep(&conn, now, now.plus(Duration::from_secs(10))).unwrap();
        assert_eq!(start, EventId::first_of(now));
        for millis in [1_000_000, 1_000_000, 900_000, 1_000_001] {
            at(millis);
            append_end(&conn, &sent(1)).unwrap();
        }
        let ids = |after: EventId| -> Vec<(u64, u32)> {
            let mut select = conn.prepare("SELECT number FROM events WHERE number > ?1 ORDER BY number").unwrap();
            let found = select.query_map([row_number(after)], |row| row.get(0)).unwrap();
            found.map(|number| event_id(number.unwrap())).map(|id| (id.millis, id.number)).collect()
        };
        assert_eq!(ids(start), [(1_000_000, 1), (1_000_000, 2), (1_000_000, 3), (1_000_001, 0)]);

        // Nobody listens any more, all is swept, and the clock is set back: still no number comes again.
        at(1_010_000);
        append_end(&conn, &sent(2)).unwrap();
        assert_eq!((ids(start).len(), sweep(&conn, start).unwrap(), sweep(&conn, start).unwrap()), (4, 4, 0));
        let now = at(500_000);
        conn.execute("UPDATE event_log SET kept_until = 0", []).unwrap();
        let again = keep(&conn, now, now.plus(Duration::from_secs(10))).unwrap();
        assert_eq!((again.millis, again.number), (1_000_001, 0));
        append_end(&conn, &sent(3)).unwrap();
        assert_eq!(ids(start), [(1_000_001, 1)]);

        let far = EventId { millis: 253_402_300_799_999, number: u32::MAX };
        assert_eq!(page(&conn, far, 5).unwrap().unwrap().gap, Some(EventId { millis: 1_000_001, number: 1 }));
        assert!(row_number(far) > row_number(EventId::first_of(Timestamp::now())));
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {PAGE}")).unwrap();
        let plan = explain.query_map([1, 2], |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
        assert!(!plan.iter().any(|step| step.starts_with("SCAN") || step.contains("TEMP B-TREE")), "{plan:?}");
        Timestamp::set_clock(None);
    }
}
