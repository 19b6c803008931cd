//! The rows of callbacks and the SQL on them. Each host has a row that says when its first callback is due, so that a host of which
//! very many wait holds up no other.

use super::columns::{from_json, id_bytes, to_json};
use super::store_error::StoreError;
use crate::domain::{CallbackEvent, CallbackId, CallbackState, Record, Timestamp};
use crate::ports::{Callback, CallbackPage, CallbackQuery, CallbackRoom};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

const COLUMNS: &str = "event, state, tries, since, due, error";

/// A place in a line: a row that is due, or waits for those before it.
struct Place {
    number: i64,
    notification: [u8; 16],
    host: String,
    is_first: bool,
}

/// Puts the callback of a record that has just ended in line, if somebody is to be told.
pub fn make(conn: &Connection, record: &Record) -> Result<(), StoreError> {
    let Some(event) = CallbackEvent::of(record) else { return Ok(()) };
    append(conn, &event, to_json(&event), event.ended_at)
}

/// Puts a callback at the end of its line; does nothing if it is there already.
fn append(conn: &Connection, event: &CallbackEvent, json: String, since: Timestamp) -> Result<(), StoreError> {
    let notification = id_bytes(event.id.notification);
    let is_first = first_in_line(conn, &notification)?.is_none();
    let (host, since) = (event.url.host_and_port(), since.unix_millis());
    let sql = "INSERT INTO callbacks (id, notification, host, event, state, since, due)
        VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6) ON CONFLICT (id) DO NOTHING";
    let due = is_first.then_some(since);
    let values = params![event.id.to_string(), notification, host, json, since, due];
    conn.prepare_cached(sql)?.execute(values)?;
    if is_first { update_host(conn, host) } else { Ok(()) }
}

fn first_in_line(conn: &Connection, notification: &[u8; 16]) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT number FROM callbacks WHERE notification = ?1 AND given_up_at IS NULL ORDER BY number LIMIT 1";
    Ok(conn.prepare_cached(sql)?.query_row([notification], |row| row.get(0)).optional()?)
}

/// Writes when the first callback of a host is due.
fn update_host(conn: &Connection, host: &str) -> Result<(), StoreError> {
    let sql = "SELECT due FROM callbacks WHERE host = ?1 AND due IS NOT NULL ORDER BY due LIMIT 1";
    let due: Option<i64> = conn.prepare_cached(sql)?.query_row([host], |row| row.get(0)).optional()?;
    match due {
        Some(due) => {
            let sql = "INSERT INTO callback_hosts (host, due) VALUES (?1, ?2)
                ON CONFLICT (host) DO UPDATE SET due = ?2 WHERE due <> ?2";
            conn.prepare_cached(sql)?.execute(params![host, due])?
        }
        None => conn.prepare_cached("DELETE FROM callback_hosts WHERE host = ?1")?.execute([host])?,
    };
    Ok(())
}

/// Whether something is due.
pub fn is_any_due(conn: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM callback_hosts WHERE due <= ?1 LIMIT 1";
    Ok(conn.prepare_cached(sql)?.exists([now.unix_millis()])?)
}

/// See [`Callbacks::claim`](crate::ports::Callbacks::claim).
pub fn claim(
    conn: &Connection,
    now: Timestamp,
    until: Timestamp,
    room: &CallbackRoom,
) -> Result<Vec<Callback>, StoreError> {
    let (mut claimed, mut bytes) = (Vec::new(), 0);
    for host in due_hosts(conn, now, room.all + room.of_hosts.len())? {
        let places = room.of_hosts.get(&host).copied().unwrap_or(room.per_host).min(room.all - claimed.len());
        if places == 0 || bytes >= CallbackRoom::MAX_CLAIM_BYTES {
            continue;
        }
        let sql =
            format!("SELECT number, {COLUMNS} FROM callbacks WHERE host = ?1 AND due <= ?2 ORDER BY due LIMIT ?3");
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query(params![host, now.unix_millis(), count(places)])?;
        let mut numbers: Vec<i64> = Vec::new();
        while let Some(row) = rows.next()?.filter(|_| bytes < CallbackRoom::MAX_CLAIM_BYTES) {
            bytes += row.get_ref(1)?.as_str().map_or(0, str::len);
            numbers.push(row.get(0)?);
            // One that is not readable (written by a newer version) must not hold up the others.
            let callback = read(row, 1).inspect_err(|error| tracing::warn!(%error, "a callback is passed over"));
            claimed.extend(callback.ok());
        }
        let mut update = conn.prepare_cached("UPDATE callbacks SET due = ?2 WHERE number = ?1")?;
        for number in numbers {
            update.execute([number, until.unix_millis()])?;
        }
        update_host(conn, &host)?;
    }
    Ok(claimed)
}

fn due_hosts(conn: &Connection, now: Timestamp, limit: usize) -> Result<Vec<String>, StoreError> {
    let mut select = conn.prepare_cached("SELECT host FROM callback_hosts WHERE due <= ?1 ORDER BY due LIMIT ?2")?;
    let hosts = select.query_map(params![now.unix_millis(), count(limit)], |row| row.get(0))?;
    Ok(hosts.collect::<Result<_, _>>()?)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Where a callback stands in its line, unless it was given up.
fn place(conn: &Connection, id: &CallbackId) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT number, notification, host, due IS NOT NULL FROM callbacks WHERE id = ?1 AND given_up_at IS NULL";
    let place = |row: &Row<'_>| {
        Ok(Place { number: row.get(0)?, notification: row.get(1)?, host: row.get(2)?, is_first: row.get(3)? })
    };
    Ok(conn.prepare_cached(sql)?.query_row([id.to_string()], place).optional()?)
}

/// Makes the next in a line due, once the first has left it.
fn call_next(conn: &Connection, left: &Place, now: Timestamp) -> Result<(), StoreError> {
    if !left.is_first {
        return Ok(());
    }
    if let Some(next) = first_in_line(conn, &left.notification)? {
        let sql = "UPDATE callbacks SET due = ?2, since = ?2 WHERE number = ?1";
        conn.prepare_cached(sql)?.execute([next, now.unix_millis()])?;
    }
    update_host(conn, &left.host)
}

/// Forgets one that was delivered, also if it was given up meanwhile.
pub fn delivered(conn: &Connection, id: &CallbackId, now: Timestamp) -> Result<(), StoreError> {
    let left = place(conn, id)?;
    conn.prepare_cached("DELETE FROM callbacks WHERE id = ?1")?.execute([id.to_string()])?;
    left.map_or(Ok(()), |left| call_next(conn, &left, now))
}

/// See [`Callbacks::failed`](crate::ports::Callbacks::failed).
pub fn failed(
    conn: &Connection,
    id: &CallbackId,
    now: Timestamp,
    error: &str,
    next: Option<Timestamp>,
) -> Result<(), StoreError> {
    let Some(place) = place(conn, id)? else { return Ok(()) };
    if let Some(next) = next {
        let sql = "UPDATE callbacks SET state = 'failing', tries = tries + 1, error = ?2, due = ?3 WHERE number = ?1";
        conn.prepare_cached(sql)?.execute(params![place.number, error, next.unix_millis()])?;
        return update_host(conn, &place.host);
    }
    let sql = "UPDATE callbacks SET state = 'given_up', tries = tries + 1, error = ?2, due = NULL, given_up_at = ?3
        WHERE number = ?1";
    conn.prepare_cached(sql)?.execute(params![place.number, error, now.unix_millis()])?;
    call_next(conn, &place, now)
}

/// See [`Callbacks::replay`](crate::ports::Callbacks::replay).
pub fn replay(conn: &Connection, id: &CallbackId, now: Timestamp) -> Result<bool, StoreError> {
    let Some(callback) = get(conn, id)? else { return Ok(false) };
    match callback.state {
        CallbackState::Waiting => {}
        CallbackState::Failing => {
            // It is the first in its line: no other is tried.
            let sql = "UPDATE callbacks SET tries = 0, since = ?2, due = ?2 WHERE id = ?1";
            conn.prepare_cached(sql)?.execute(params![id.to_string(), now.unix_millis()])?;
            update_host(conn, callback.event.url.host_and_port())?;
        }
        CallbackState::GivenUp => {
            conn.prepare_cached("DELETE FROM callbacks WHERE id = ?1")?.execute([id.to_string()])?;
            let json = to_json(&callback.event);
            append(conn, &callback.event, json, now)?;
        }
    }
    Ok(true)
}

/// One of them.
pub fn get(conn: &Connection, id: &CallbackId) -> Result<Option<Callback>, StoreError> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM callbacks WHERE id = ?1"))?;
    let mut rows = select.query([id.to_string()])?;
    rows.next()?.map(|row| read(row, 0)).transpose()
}

/// See [`Callbacks::list`](crate::ports::Callbacks::list).
pub fn page(conn: &Connection, query: &CallbackQuery) -> Result<CallbackPage, StoreError> {
    let mut found = Vec::new();
    for state in &query.states {
        let mut values = vec![Value::Text(state.as_str().to_owned())];
        let before = query.before.map(|id| id.to_string());
        let below = if before.is_some() { "AND id < ?" } else { "" };
        values.extend(before.map(Value::Text));
        values.push(Value::Integer(count(query.limit + 1)));
        let sql = format!("SELECT {COLUMNS} FROM callbacks WHERE state = ? {below} ORDER BY id DESC LIMIT ?");
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let callback = read(row, 0).inspect_err(|error| tracing::warn!(%error, "left out of a listing"));
            found.extend(callback.ok());
        }
    }
    Ok(CallbackPage::of(found, query.limit))
}

/// How many are not given up.
pub fn waiting(conn: &Connection) -> Result<u64, StoreError> {
    let waiting: i64 = conn.query_row("SELECT waiting FROM callback_count", [], |row| row.get(0))?;
    Ok(u64::try_from(waiting).unwrap_or(0))
}

fn read(row: &Row<'_>, first: usize) -> Result<Callback, StoreError> {
    let text = |column: usize| {
        row.get_ref(first + column)?.as_str().map_err(|error| StoreError::unreadable("callback", error))
    };
    let moment = |column: usize| Ok::<_, StoreError>(row.get::<_, Option<i64>>(first + column)?);
    let state = text(1)?.parse().map_err(|error| StoreError::unreadable("callback", error))?;
    let due = moment(4)?.map(Timestamp::from_unix_millis);
    Ok(Callback {
        event: from_json("callback", text(0)?)?,
        state,
        tries: row.get(first + 2)?,
        since: Timestamp::from_unix_millis(row.get(first + 3)?),
        next_try_at: due.filter(|_| state == CallbackState::Failing),
        error: row.get(first + 5)?,
    })
}
