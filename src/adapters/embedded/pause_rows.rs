//! The rows of pauses: for how long an attempt keeps its chat from being written to, as an album does, which takes of the chat's
//! rate in advance. A chat has the row of the attempt that did so last; if that has not left, it gives the pause back.

use super::columns::id_bytes;
use super::store_error::StoreError;
use crate::domain::{Notification, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// Until when a begin that needs so much headroom must wait for the pause of its chat; `None` if it need not.
pub fn paused_until(
    conn: &Connection,
    notification: &Notification,
    at: Timestamp,
    headroom: Duration,
) -> Result<Option<Timestamp>, StoreError> {
    let mut select = conn.prepare_cached("SELECT until FROM pauses WHERE bot = ?1 AND chat = ?2")?;
    let key = params![notification.bot.as_str(), notification.chat_id.to_string()];
    let until: Option<i64> = select.query_row(key, |row| row.get(0)).optional()?;
    let until = until.map(|until| Timestamp::from_unix_millis(until).plus(headroom));
    Ok(until.filter(|until| *until > at))
}

/// Notes the pause that the attempt makes which begins now; the one before it is over.
pub fn begin(conn: &Connection, notification: &Notification, at: Timestamp, pause: Duration) -> Result<(), StoreError> {
    let sql = "INSERT INTO pauses (bot, chat, until, before, id, begun_at) VALUES (?1, ?2, ?3, 0, ?4, ?5)
        ON CONFLICT (bot, chat) DO UPDATE SET until = ?3, before = until, id = ?4, begun_at = ?5";
    let values = params![
        notification.bot.as_str(),
        notification.chat_id.to_string(),
        at.plus(pause).unix_millis(),
        id_bytes(notification.id),
        at.unix_millis(),
    ];
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Takes the pause back that the attempt has made which began then, if none has made another since: nothing has left.
pub fn take_back(conn: &Connection, notification: &Notification, begun_at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE pauses SET until = before WHERE bot = ?1 AND chat = ?2 AND id = ?3 AND begun_at = ?4";
    let values = params![
        notification.bot.as_str(),
        notification.chat_id.to_string(),
        id_bytes(notification.id),
        begun_at.unix_millis(),
    ];
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
