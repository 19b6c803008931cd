//! The rows of blobs and the SQL on them. A blob is a row with a number and pieces of at most 256 KiB each; until
//! the number has a digest nobody can see it.

use super::limits::{FREE_PAGES_KEPT, PAGES_PER_VACUUM_STEP, PIECES_PER_DELETION_STEP, SWEEP_STEP_BLOBS};
use super::store_error::StoreError;
use crate::domain::{Sha256, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

/// How many low bits of a piece's `place` are its index within the blob.
const PIECE_INDEX_BITS: u32 = 20;

/// Marks a blob as used now and gives its size, if it is held.
pub fn mark_used(conn: &Connection, sha256: &Sha256) -> Result<Option<u64>, StoreError> {
    let sql = "UPDATE blobs SET used_at = max(used_at, ?2) WHERE sha256 = ?1 RETURNING size";
    let values = params![sha256.as_bytes(), Timestamp::now().unix_millis()];
    let size: Option<i64> = conn.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
    Ok(size.map(i64::unsigned_abs))
}

/// The number and the size of a blob, if it is held.
pub fn find(conn: &Connection, sha256: &Sha256) -> Result<Option<(i64, u64)>, StoreError> {
    let sql = "SELECT number, size FROM blobs WHERE sha256 = ?1";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_row([sha256.as_bytes()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())));
    Ok(found.optional()?)
}

/// A number for a blob of so many bytes, which has no digest yet.
pub fn insert_unnamed(conn: &Connection, size: i64) -> Result<i64, StoreError> {
    let sql = "INSERT INTO blobs (size, used_at) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute([size, Timestamp::now().unix_millis()])?;
    Ok(conn.last_insert_rowid())
}

/// Gives a number its digest, which makes the blob visible; `false` if another upload of the same bytes was faster.
pub fn publish(conn: &Connection, number: i64, sha256: &Sha256) -> Result<bool, StoreError> {
    if mark_used(conn, sha256)?.is_some() {
        return Ok(false);
    }
    let sql = "UPDATE blobs SET sha256 = ?2, used_at = ?3 WHERE number = ?1";
    conn.prepare_cached(sql)?.execute(params![number, sha256.as_bytes(), Timestamp::now().unix_millis()])?;
    Ok(true)
}

/// Writes the piece of an index.
pub fn insert_piece(conn: &Connection, number: i64, index: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO pieces (place, bytes) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute(params![piece_place(number, index), bytes])?;
    Ok(())
}

/// Reads the piece of an index.
pub fn read_piece(conn: &Connection, number: i64, index: u64) -> Result<Bytes, StoreError> {
    let mut select = conn.prepare_cached("SELECT bytes FROM pieces WHERE place = ?1")?;
    let bytes: Option<Vec<u8>> = select.query_row([piece_place(number, index)], |row| row.get(0)).optional()?;
    bytes.map(Bytes::from).ok_or_else(|| StoreError::Broken("the image was removed while it was read".to_owned()))
}

fn piece_place(number: i64, index: u64) -> i64 {
    (number << PIECE_INDEX_BITS) | index.cast_signed()
}

/// Some blobs that were not used since a moment (Unix milliseconds), in the order of their numbers, behind one of them.
pub fn unused_since(conn: &Connection, moment: i64, after: i64) -> Result<Vec<(i64, Sha256)>, StoreError> {
    let sql = "SELECT number, sha256 FROM blobs WHERE number > ?1 AND used_at < ?2 AND sha256 IS NOT NULL
        ORDER BY number LIMIT ?3";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([after, moment, SWEEP_STEP_BLOBS], |row| {
        Ok((row.get(0)?, Sha256::from_bytes(row.get::<_, [u8; 32]>(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Takes the digest from a blob that is still unused since then, which makes it invisible; `false` if it was used.
pub fn unpublish(conn: &Connection, number: i64, unused_since: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE blobs SET sha256 = NULL WHERE number = ?1 AND used_at < ?2";
    Ok(conn.prepare_cached(sql)?.execute([number, unused_since])? == 1)
}

/// Deletes what interrupted uploads and sweeps left behind.
pub fn delete_leftovers(conn: &Connection) -> rusqlite::Result<()> {
    let mut select = conn.prepare("SELECT number FROM blobs WHERE sha256 IS NULL")?;
    let numbers: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for number in numbers {
        while !delete_some(conn, number)? {}
    }
    Ok(())
}

/// Deletes some pieces of a number that has no digest, and the number once it has none; `true` when that was the last
/// step.
pub fn delete_some(conn: &Connection, number: i64) -> rusqlite::Result<bool> {
    let pieces = "DELETE FROM pieces WHERE place IN
        (SELECT place FROM pieces WHERE place >= ?1 AND place < ?2 LIMIT ?3)";
    let places = [piece_place(number, 0), piece_place(number + 1, 0), PIECES_PER_DELETION_STEP];
    if conn.prepare_cached(pieces)?.execute(places)? > 0 {
        return Ok(false);
    }
    conn.prepare_cached("DELETE FROM blobs WHERE number = ?1 AND sha256 IS NULL")?.execute([number])?;
    Ok(true)
}

/// Gives some free pages back to the file system; `true` if there are more to give.
pub fn vacuum_some(conn: &Connection) -> Result<bool, StoreError> {
    let free: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free <= FREE_PAGES_KEPT {
        return Ok(false);
    }
    // Every step of the statement moves one page, so it must be run to its end.
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({PAGES_PER_VACUUM_STEP})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}
