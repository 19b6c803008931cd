//! Moves the blobs that stand in the database into the blob store: once after a restore, or after a version that kept them
//! there.

use super::free_pages;
use super::packed_blobs::{self, PackedBlob};
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::FileContent;
use crate::ports::{BlobError, Blobs, Spooled};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempPath};

/// How often it is told how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Moves all of them, by way of files in `folder`, one after the other; what was moved when it is interrupted stays moved. Returns
/// how many.
pub async fn unpack_blobs(store: &Arc<SqliteStore>, blobs: &dyn Blobs, folder: &Path) -> Result<u64, BlobError> {
    let total = store.read(packed_blobs::count).await?;
    let (mut moved, mut told) = (0, Instant::now());
    while let Some(blob) = store.read(packed_blobs::first).await? {
        if moved == 0 {
            tracing::info!(images = total, "moving the images out of the database, which happens once");
        } else if told.elapsed() >= PROGRESS_INTERVAL {
            tracing::info!(moved, images = total, "moving the images out of the database");
            told = Instant::now();
        }
        let (number, sha256, size) = (blob.number, blob.sha256, blob.size);
        match write_file(store, blob, folder).await? {
            Some(file) => {
                let content = FileContent::File(file.to_path_buf());
                blobs.put(&Spooled { content, sha256, size }).await?;
            }
            None => tracing::error!(%sha256, "an image in the database is damaged and is dropped"),
        }
        let remove = move |conn: &Connection| packed_blobs::abandon(conn, number);
        store.write(Durability::Process, remove).await?;
        let step = move |conn: &Connection| Ok(packed_blobs::delete_some(conn, number)?);
        while !store.write(Durability::Process, step).await? {}
        free_pages::give_back(store).await?;
        moved += 1;
    }
    Ok(moved)
}

/// The bytes of a blob in a file of its own; `None` if they are damaged.
async fn write_file(store: &Arc<SqliteStore>, blob: PackedBlob, folder: &Path) -> Result<Option<TempPath>, StoreError> {
    let file = NamedTempFile::with_prefix_in("pixcourier-image-", folder);
    let mut file = file.map_err(|error| StoreError::Broken(format!("no file can be made: {error}")))?;
    let unpack = move |conn: &Connection| {
        let is_whole = packed_blobs::unpack(conn, &blob, &mut file)?;
        Ok(is_whole.then(|| file.into_temp_path()))
    };
    store.read(unpack).await
}
