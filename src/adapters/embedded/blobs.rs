//! Image bytes in the file. An upload is streamed into pieces under a number that nobody knows, and one last small
//! transaction gives it the digest: a blob is there whole or not at all.

use super::blob_rows;
use super::limits::{MAX_CONCURRENT_PIECES, PIECE_BYTES};
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{FileContent, Sha256, Timestamp};
use crate::ports::{BlobError, BlobStream, Blobs, MediaIndex, Spooled};
use async_trait::async_trait;
use futures_util::stream;
use rusqlite::Connection;
use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// [`Blobs`] in the file.
pub struct EmbeddedBlobs {
    store: Arc<SqliteStore>,
    piece_permits: Arc<Semaphore>,
}

impl EmbeddedBlobs {
    /// Over the open file.
    pub fn new(store: Arc<SqliteStore>) -> Self {
        Self { store, piece_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_PIECES)) }
    }

    async fn put_until(&self, durability: Durability, file: &Spooled) -> Result<bool, BlobError> {
        if file.size <= PIECE_BYTES as u64 {
            return Ok(put_small(&self.store, &self.piece_permits, durability, file.clone()).await?);
        }
        if self.stat(&file.sha256).await?.is_some() {
            return Ok(false);
        }
        // A task of its own: a caller who goes away must not leave half a blob behind.
        let upload = tokio::spawn(upload(self.store.clone(), self.piece_permits.clone(), durability, file.clone()));
        upload.await.map_err(|_| StoreError::closed())??;
        Ok(true)
    }
}

#[async_trait]
impl Blobs for EmbeddedBlobs {
    async fn put(&self, file: &Spooled) -> Result<bool, BlobError> {
        self.put_until(Durability::Disk, file).await
    }

    /// Spares a wait for the disk: the acceptance is a later transaction in the same file.
    async fn put_to_accept(&self, file: &Spooled) -> Result<bool, BlobError> {
        self.put_until(Durability::Process, file).await
    }

    async fn stat(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        let sha256 = *sha256;
        // Asking is a use: a sweep goes by the time of the last one.
        Ok(self.store.write(Durability::Process, move |conn| blob_rows::mark_used(conn, &sha256)).await?)
    }

    async fn open(&self, sha256: &Sha256) -> Result<Option<(u64, BlobStream)>, BlobError> {
        let sha256 = *sha256;
        let Some((number, size)) = self.store.read(move |conn| blob_rows::find(conn, &sha256)).await? else {
            return Ok(None);
        };
        let pieces = size.div_ceil(PIECE_BYTES as u64);
        let read = stream::try_unfold((self.store.clone(), 0), move |(store, index)| async move {
            if index == pieces {
                return Ok(None);
            }
            let piece = store.read(move |conn| blob_rows::read_piece(conn, number, index)).await?;
            Ok(Some((piece, (store, index + 1))))
        });
        Ok(Some((size, Box::pin(read))))
    }

    async fn sweep(&self, unused_since: Timestamp, pins: &dyn MediaIndex) -> Result<u64, BlobError> {
        let unused_since = unused_since.unix_millis();
        let mut swept = 0;
        let mut after = 0;
        loop {
            let unused = self.store.read(move |conn| blob_rows::unused_since(conn, unused_since, after)).await?;
            let Some(&(last, _)) = unused.last() else { break };
            after = last;
            for (number, sha256) in unused {
                let pinned = pins.is_pinned(&sha256, Timestamp::now()).await;
                if pinned.map_err(|error| BlobError::Unavailable(error.to_string()))? {
                    continue;
                }
                // Asked again in the transaction: it may have been used meanwhile.
                let unpublish = move |conn: &Connection| blob_rows::unpublish(conn, number, unused_since);
                if self.store.write(Durability::Process, unpublish).await? {
                    delete(&self.store, number).await?;
                    swept += 1;
                    // Blob by blob: SQLite looks for the pages that it gives back in a list of all free ones.
                    while self.store.write(Durability::Process, blob_rows::vacuum_some).await? {}
                }
            }
        }
        Ok(swept)
    }

    async fn ready(&self) -> Result<(), BlobError> {
        Ok(self.store.ready().await?)
    }
}

/// Stores what is one piece, in one transaction; whether it was not held already.
async fn put_small(
    store: &SqliteStore,
    piece_permits: &Semaphore,
    durability: Durability,
    spooled: Spooled,
) -> Result<bool, StoreError> {
    let size = i64::try_from(spooled.size).map_err(|error| StoreError::unreadable("size", error))?;
    let _permit = piece_permits.acquire().await.map_err(|_| StoreError::closed())?;
    let reading = tokio::task::spawn_blocking(move || spooled.content.read());
    let bytes = reading.await.map_err(|_| StoreError::closed())?.map_err(unreadable_upload)?;
    let put = move |conn: &Connection| {
        if blob_rows::mark_used(conn, &spooled.sha256)?.is_some() {
            return Ok(false);
        }
        let number = blob_rows::insert_unnamed(conn, size)?;
        blob_rows::insert_piece(conn, number, 0, &bytes)?;
        blob_rows::publish(conn, number, &spooled.sha256)
    };
    store.write(durability, put).await
}

fn unreadable_upload(error: std::io::Error) -> StoreError {
    StoreError::Broken(format!("the spooled upload cannot be read: {error}"))
}

async fn upload(
    store: Arc<SqliteStore>,
    piece_permits: Arc<Semaphore>,
    durability: Durability,
    file: Spooled,
) -> Result<(), StoreError> {
    let size = i64::try_from(file.size).map_err(|error| StoreError::unreadable("size", error))?;
    let number = store.write(Durability::Process, move |conn| blob_rows::insert_unnamed(conn, size)).await?;
    let sha256 = file.sha256;
    let published = match upload_pieces(&store, &piece_permits, file, number).await {
        Ok(()) => store.write(durability, move |conn| blob_rows::publish(conn, number, &sha256)).await,
        Err(error) => Err(error),
    };
    if !matches!(published, Ok(true)) {
        // What cannot be deleted now is deleted at the next start.
        let _ = delete(&store, number).await;
    }
    published.map(|_| ())
}

async fn upload_pieces(
    store: &SqliteStore,
    piece_permits: &Semaphore,
    spooled: Spooled,
    number: i64,
) -> Result<(), StoreError> {
    let opening = tokio::task::spawn_blocking(move || {
        Ok::<Box<dyn Read + Send>, std::io::Error>(match spooled.content {
            FileContent::Memory(bytes) => Box::new(Cursor::new(bytes)),
            FileContent::File(path) => Box::new(File::open(path)?),
        })
    });
    let mut file = opening.await.map_err(|_| StoreError::closed())?.map_err(unreadable_upload)?;
    for index in 0..spooled.size.div_ceil(PIECE_BYTES as u64) {
        let left = spooled.size - index * PIECE_BYTES as u64;
        let wanted = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let _permit = piece_permits.acquire().await.map_err(|_| StoreError::closed())?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; wanted];
            file.read_exact(&mut bytes).map(|()| (file, bytes))
        });
        let bytes;
        (file, bytes) = reading.await.map_err(|_| StoreError::closed())?.map_err(unreadable_upload)?;
        // Nobody is told about a piece; the last transaction waits for the disk, and so for all before it.
        let insert = move |conn: &Connection| blob_rows::insert_piece(conn, number, index, &bytes);
        store.write(Durability::Process, insert).await?;
    }
    Ok(())
}

/// Deletes a number that has no digest, in steps that let other writes in between.
async fn delete(store: &SqliteStore, number: i64) -> Result<(), StoreError> {
    while !store.write(Durability::Process, move |conn| Ok(blob_rows::delete_some(conn, number)?)).await? {}
    Ok(())
}
