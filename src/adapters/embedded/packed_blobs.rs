//! Blobs that stand in the database: in a backup, which is one file with everything in it, and in the file of a version
//! that kept them there. A start moves them into the blob store.
//!
//! A blob is a row with a number and pieces of at most 256 KiB each; one without a digest is being taken away, or was left by an
//! interrupted upload.

use super::limits::{PIECE_BYTES, PIECES_PER_DELETION_STEP};
use super::store_error::StoreError;
use crate::domain::{Sha256, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::Digest;
use std::io::{Read, Write};

/// How many low bits of a piece's `place` are its index within the blob.
const PIECE_INDEX_BITS: u32 = 20;

/// A blob that stands in the database.
pub struct PackedBlob {
    /// Of its row and pieces.
    pub number: i64,
    /// Its digest.
    pub sha256: Sha256,
    /// Of all pieces, in bytes.
    pub size: u64,
}

/// The first one.
pub fn first(conn: &Connection) -> Result<Option<PackedBlob>, StoreError> {
    let sql = "SELECT number, sha256, size FROM blobs WHERE sha256 IS NOT NULL ORDER BY number LIMIT 1";
    let first = conn.prepare_cached(sql)?.query_row([], |row| {
        let (number, sha256, size) = (row.get(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, i64>(2)?);
        Ok(PackedBlob { number, sha256: Sha256::from_bytes(sha256), size: size.unsigned_abs() })
    });
    Ok(first.optional()?)
}

/// How many there are.
pub fn count(conn: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM blobs WHERE sha256 IS NOT NULL";
    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Writes the bytes of one; `false` if they are not those of its digest.
pub fn unpack(conn: &Connection, blob: &PackedBlob, to: &mut impl Write) -> Result<bool, StoreError> {
    let mut select = conn.prepare_cached("SELECT bytes FROM pieces WHERE place >= ?1 AND place < ?2 ORDER BY place")?;
    let mut pieces = select.query([piece_place(blob.number, 0), piece_place(blob.number + 1, 0)])?;
    let mut hasher = sha2::Sha256::new();
    while let Some(piece) = pieces.next()? {
        let bytes = piece.get_ref(0)?.as_blob().map_err(|error| StoreError::unreadable("image", error))?;
        hasher.update(bytes);
        to.write_all(bytes).map_err(|error| StoreError::Broken(format!("an image cannot be written: {error}")))?;
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()) == blob.sha256)
}

/// Puts the bytes of a file into the database, unless it has them.
///
/// # Errors
/// Of the database, or in its place of the file.
pub fn pack(conn: &Connection, sha256: &Sha256, mut file: impl Read) -> rusqlite::Result<std::io::Result<()>> {
    let sql = "INSERT INTO blobs (sha256, size, used_at) VALUES (?1, 0, ?2) ON CONFLICT (sha256) DO NOTHING";
    let values = params![sha256.as_bytes(), Timestamp::now().unix_millis()];
    if conn.prepare_cached(sql)?.execute(values)? == 0 {
        return Ok(Ok(()));
    }
    let number = conn.last_insert_rowid();
    let mut insert = conn.prepare_cached("INSERT INTO pieces (place, bytes) VALUES (?1, ?2)")?;
    let (mut size, mut piece) = (0, Vec::with_capacity(PIECE_BYTES));
    for index in 0_i64.. {
        piece.clear();
        match file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece) {
            Ok(0) => break,
            Ok(read) => size += read,
            Err(error) => return Ok(Err(error)),
        }
        insert.execute(params![piece_place(number, index), piece])?;
    }
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    conn.prepare_cached("UPDATE blobs SET size = ?2 WHERE number = ?1")?.execute([number, size])?;
    Ok(Ok(()))
}

fn piece_place(number: i64, index: i64) -> i64 {
    (number << PIECE_INDEX_BITS) | index
}

/// Takes the digest from a blob, after which it is a leftover.
pub fn abandon(conn: &Connection, number: i64) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE blobs SET sha256 = NULL WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// Deletes what interrupted uploads and removals left behind.
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
