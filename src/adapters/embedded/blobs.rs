//! Image bytes as rows of at most 256 KiB. They are written piece by piece under a number that nobody knows, and one
//! last small transaction gives it the digest: a blob is there whole or not at all.

use super::fault::Fault;
use super::store::Store;
use super::writer::Durability;
use crate::domain::{Sha256, Timestamp};
use crate::ports::{BlobError, BlobStream, Blobs, MediaIndex, Spooled};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use rusqlite::{Connection, OptionalExtension, params};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The size of a piece in bytes.
const PIECE: usize = 256 * 1024;
/// How many pieces are on their way to the disk at the same time, over all uploads: bounds the memory, and how much a
/// small write waits behind large ones.
const PIECES_AT_ONCE: usize = 4;
/// How many pieces one step takes away.
const REMOVED_AT_ONCE: i64 = 16;
/// How many candidates one step of a sweep looks at.
const LOOK: i64 = 100;
/// Free pages that are kept for the next images, 16 MiB.
const SPARE_PAGES: i64 = 4_096;
/// How many pages one step gives back to the file system.
const PAGES_AT_ONCE: u32 = 512;
/// How many of a piece's number tell its place within the blob.
const PLACE_BITS: u32 = 20;

/// The blob store in the file.
pub struct EmbeddedBlobs {
    store: Arc<Store>,
    pieces: Arc<Semaphore>,
}

impl EmbeddedBlobs {
    /// Over the open file.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, pieces: Arc::new(Semaphore::new(PIECES_AT_ONCE)) }
    }
}

#[async_trait]
impl Blobs for EmbeddedBlobs {
    async fn put(&self, file: &Spooled) -> Result<(), BlobError> {
        let sha256 = file.sha256;
        if self.store.write(Durability::Process, move |conn| touch(conn, &sha256)).await?.is_some() {
            return Ok(());
        }
        // A task of its own: a caller who goes away must not leave half a blob behind.
        let writing = tokio::spawn(write(self.store.clone(), self.pieces.clone(), file.clone()));
        Ok(writing.await.map_err(|_| Fault::closed())??)
    }

    async fn stat(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        let sha256 = *sha256;
        // Asking is a use: a sweep goes by the time of the last one.
        Ok(self.store.write(Durability::Process, move |conn| touch(conn, &sha256)).await?)
    }

    async fn open(&self, sha256: &Sha256) -> Result<Option<(u64, BlobStream)>, BlobError> {
        let sha256 = *sha256;
        let find = move |conn: &Connection| {
            let sql = "SELECT number, size FROM blobs WHERE sha256 = ?1";
            let found = conn.prepare_cached(sql)?.query_row([sha256.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(found.optional()?)
        };
        let Some((number, size)) = self.store.read(find).await?.map(|(n, size): (i64, i64)| (n, size.unsigned_abs()))
        else {
            return Ok(None);
        };
        let store = self.store.clone();
        let pieces = size.div_ceil(PIECE as u64);
        let read = stream::try_unfold((store, 0), move |(store, index)| async move {
            if index == pieces {
                return Ok(None);
            }
            let piece = store.read(move |conn| read_piece(conn, number, index)).await?;
            Ok(Some((piece, (store, index + 1))))
        });
        Ok(Some((size, Box::pin(read))))
    }

    async fn sweep(&self, unused_since: Timestamp, pins: &dyn MediaIndex) -> Result<u64, BlobError> {
        let unused_since = unused_since.unix_millis();
        let mut swept = 0;
        let mut after = 0;
        loop {
            let candidates = self.store.read(move |conn| candidates(conn, unused_since, after)).await?;
            let Some(&(last, _)) = candidates.last() else { break };
            after = last;
            for (number, sha256) in candidates {
                let pinned = pins.is_pinned(&sha256, Timestamp::now()).await;
                if pinned.map_err(|error| BlobError::Unavailable(error.to_string()))? {
                    continue;
                }
                // Asked again in the transaction: it may have been used meanwhile.
                let sql = "UPDATE blobs SET sha256 = NULL WHERE number = ?1 AND used_at < ?2";
                let hide = move |conn: &Connection| Ok(conn.prepare_cached(sql)?.execute([number, unused_since])?);
                if self.store.write(Durability::Process, hide).await? == 1 {
                    discard(&self.store, number).await?;
                    swept += 1;
                    // Blob by blob: SQLite looks for the pages that it gives back in a list of all free ones.
                    while self.store.write(Durability::Process, give_back).await? {}
                }
            }
        }
        Ok(swept)
    }

    async fn ready(&self) -> Result<(), BlobError> {
        Ok(self.store.ready().await?)
    }
}

/// Marks a blob as used now and gives its size, if it is held.
pub fn touch(conn: &Connection, sha256: &Sha256) -> Result<Option<u64>, Fault> {
    let sql = "UPDATE blobs SET used_at = max(used_at, ?2) WHERE sha256 = ?1 RETURNING size";
    let values = params![sha256.as_bytes(), Timestamp::now().unix_millis()];
    let size: Option<i64> = conn.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
    Ok(size.map(i64::unsigned_abs))
}

/// Removes what interrupted uploads and sweeps left behind.
pub fn remove_leftovers(conn: &Connection) -> rusqlite::Result<()> {
    let mut select = conn.prepare("SELECT number FROM blobs WHERE sha256 IS NULL")?;
    let numbers: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for number in numbers {
        while !remove_some(conn, number)? {}
    }
    Ok(())
}

async fn write(store: Arc<Store>, pieces: Arc<Semaphore>, file: Spooled) -> Result<(), Fault> {
    let size = i64::try_from(file.size).map_err(|error| Fault::unreadable("size", error))?;
    let begin = move |conn: &Connection| {
        let sql = "INSERT INTO blobs (size, used_at) VALUES (?1, ?2)";
        conn.prepare_cached(sql)?.execute([size, Timestamp::now().unix_millis()])?;
        Ok(conn.last_insert_rowid())
    };
    let number = store.write(Durability::Process, begin).await?;
    let sha256 = file.sha256;
    let written = match write_pieces(&store, &pieces, file, number).await {
        Ok(()) => store.write(Durability::Disk, move |conn| finish(conn, number, &sha256)).await,
        Err(fault) => Err(fault),
    };
    if !matches!(written, Ok(true)) {
        // What cannot be removed now is removed at the next start.
        let _ = discard(&store, number).await;
    }
    written.map(|_| ())
}

async fn write_pieces(store: &Store, pieces: &Semaphore, spooled: Spooled, number: i64) -> Result<(), Fault> {
    let broken = |error: std::io::Error| Fault::Broken(format!("the spooled upload cannot be read: {error}"));
    let opening = tokio::task::spawn_blocking(move || File::open(&spooled.path));
    let mut file = opening.await.map_err(|_| Fault::closed())?.map_err(broken)?;
    for index in 0..spooled.size.div_ceil(PIECE as u64) {
        let wanted = usize::try_from(spooled.size - index * PIECE as u64).map_or(PIECE, |rest| rest.min(PIECE));
        let _turn = pieces.acquire().await.map_err(|_| Fault::closed())?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; wanted];
            file.read_exact(&mut bytes).map(|()| (file, bytes))
        });
        let bytes;
        (file, bytes) = reading.await.map_err(|_| Fault::closed())?.map_err(broken)?;
        let put = move |conn: &Connection| {
            let sql = "INSERT INTO pieces (place, bytes) VALUES (?1, ?2)";
            conn.prepare_cached(sql)?.execute(params![place(number, index), bytes])?;
            Ok(())
        };
        // Nobody is told about a piece; the last transaction waits for the disk, and so for all before it.
        store.write(Durability::Process, put).await?;
    }
    Ok(())
}

/// Gives the number its digest, unless another upload of the same bytes was faster: then the answer is `false`.
fn finish(conn: &Connection, number: i64, sha256: &Sha256) -> Result<bool, Fault> {
    if touch(conn, sha256)?.is_some() {
        return Ok(false);
    }
    let sql = "UPDATE blobs SET sha256 = ?2, used_at = ?3 WHERE number = ?1";
    conn.prepare_cached(sql)?.execute(params![number, sha256.as_bytes(), Timestamp::now().unix_millis()])?;
    Ok(true)
}

fn place(number: i64, index: u64) -> i64 {
    (number << PLACE_BITS) | index.cast_signed()
}

fn read_piece(conn: &Connection, number: i64, index: u64) -> Result<Bytes, Fault> {
    let mut select = conn.prepare_cached("SELECT bytes FROM pieces WHERE place = ?1")?;
    let bytes: Option<Vec<u8>> = select.query_row([place(number, index)], |row| row.get(0)).optional()?;
    bytes.map(Bytes::from).ok_or_else(|| Fault::Broken("the image was removed while it was read".to_owned()))
}

fn candidates(conn: &Connection, unused_since: i64, after: i64) -> Result<Vec<(i64, Sha256)>, Fault> {
    let sql = "SELECT number, sha256 FROM blobs WHERE number > ?1 AND used_at < ?2 AND sha256 IS NOT NULL
        ORDER BY number LIMIT ?3";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([after, unused_since, LOOK], |row| {
        Ok((row.get(0)?, Sha256::from_bytes(row.get::<_, [u8; 32]>(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Takes away the pieces of a number that has no digest, then the number, in steps that let others in between.
async fn discard(store: &Store, number: i64) -> Result<(), Fault> {
    while !store.write(Durability::Process, move |conn| Ok(remove_some(conn, number)?)).await? {}
    Ok(())
}

/// One step; `true` when it was the last.
fn remove_some(conn: &Connection, number: i64) -> rusqlite::Result<bool> {
    let pieces = "DELETE FROM pieces WHERE place IN
        (SELECT place FROM pieces WHERE place >= ?1 AND place < ?2 LIMIT ?3)";
    let removed = conn.prepare_cached(pieces)?.execute([place(number, 0), place(number + 1, 0), REMOVED_AT_ONCE])?;
    if removed > 0 {
        return Ok(false);
    }
    conn.prepare_cached("DELETE FROM blobs WHERE number = ?1 AND sha256 IS NULL")?.execute([number])?;
    Ok(true)
}

/// Gives some free pages back to the file system; `true` if there are more to give.
fn give_back(conn: &Connection) -> Result<bool, Fault> {
    let free: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free <= SPARE_PAGES {
        return Ok(false);
    }
    // Every step of the statement moves one page, so it must be run to its end.
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}
