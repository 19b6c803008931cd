//! The blob port over an object store.

use super::backend::ObjectBackend;
use super::errors::{self, blob_error, is_missing_bucket, with_timeout};
use super::limits::{DELETION_SETTLE_TIME, MAX_CONCURRENT_UPLOADS, SWEEP_MARGIN};
use super::read;
use crate::domain::{FileContent, Sha256, Timestamp};
use crate::ports::{BlobError, BlobStream, Blobs, MediaIndex, Spooled};
use crate::settings::BlobLocation;
use async_trait::async_trait;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use std::io::Cursor;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncRead;
use tokio::sync::Semaphore;

/// [`Blobs`] in a folder or a bucket.
pub struct ObjectBlobs {
    backend: ObjectBackend,
    retention: Duration,
    upload_permits: Semaphore,
}

/// What an object's age (the time since its last use) means for using it.
enum BlobAge {
    /// Used lately: nothing to do.
    Fresh,
    /// To be renewed when it is used.
    NeedsRenewal,
    /// A sweep may be about to delete it: counts as absent.
    NearlySwept,
}

impl ObjectBlobs {
    /// Opens the store. `retention` is how long after its last use a blob may be swept. A folder is created; a bucket
    /// is not looked at, so that the process starts while it is away.
    ///
    /// # Errors
    /// The folder cannot be created, or the bucket's settings make no client.
    pub fn new(location: &BlobLocation, retention: Duration) -> Result<Self, BlobError> {
        Ok(Self {
            backend: ObjectBackend::open(location)?,
            retention,
            upload_permits: Semaphore::new(MAX_CONCURRENT_UPLOADS),
        })
    }

    fn age(&self, meta: &ObjectMeta) -> BlobAge {
        let age = Timestamp::now().since(modified_at(meta));
        let due = self.retention - SWEEP_MARGIN.min(self.retention / 4);
        match age {
            age if age >= due => BlobAge::NearlySwept,
            age if age >= self.retention / 4 => BlobAge::NeedsRenewal,
            _ => BlobAge::Fresh,
        }
    }

    async fn head(&self, path: &Path) -> Result<Option<ObjectMeta>, BlobError> {
        none_if_missing(with_timeout(self.backend.objects.head(path)).await)
    }

    /// Uploads the file, in parts if it is larger than one; an upload that fails leaves nothing under the object's
    /// name.
    async fn upload(&self, file: &Spooled, path: &Path) -> Result<(), BlobError> {
        let _permit = self.upload_permits.acquire().await.expect("the semaphore is never closed");
        let mut source: Box<dyn AsyncRead + Send + Unpin> = match &file.content {
            FileContent::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            FileContent::File(path) => Box::new(File::open(path).await.map_err(|error| errors::spool_error(&error))?),
        };
        let mut left = file.size;
        if left <= self.backend.part_bytes as u64 {
            let whole = read::read_exactly(&mut source, left).await?;
            return with_timeout(self.backend.objects.put(path, PutPayload::from_bytes(whole)))
                .await
                .map(drop)
                .map_err(blob_error);
        }
        let mut upload = with_timeout(self.backend.objects.put_multipart(path)).await.map_err(blob_error)?;
        let written = async {
            while left > 0 {
                let part = read::read_exactly(&mut source, left.min(self.backend.part_bytes as u64)).await?;
                left -= part.len() as u64;
                with_timeout(upload.put_part(PutPayload::from_bytes(part))).await.map_err(blob_error)?;
            }
            with_timeout(upload.complete()).await.map(drop).map_err(blob_error)
        };
        let written = written.await;
        if written.is_err() {
            let _ = with_timeout(upload.abort()).await;
        }
        written
    }

    /// Makes an object count as used now; `false` if it is gone.
    async fn renew(&self, path: &Path) -> Result<bool, BlobError> {
        none_if_missing(self.backend.renew(path).await).map(|renewed| renewed.is_some())
    }

    /// Deletes an object if it is still as old as it was listed.
    async fn sweep_one(&self, path: &Path, unused_since: Timestamp) -> Result<bool, BlobError> {
        match self.head(path).await? {
            Some(meta) if modified_at(&meta) < unused_since => {
                none_if_missing(with_timeout(self.backend.objects.delete(path)).await).map(|deleted| deleted.is_some())
            }
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn put(&self, file: &Spooled) -> Result<bool, BlobError> {
        let path = self.backend.path(&file.sha256);
        let present = self.head(&path).await?.filter(|meta| meta.size == file.size);
        match present.map(|meta| self.age(&meta)) {
            Some(BlobAge::Fresh) => return Ok(false),
            Some(BlobAge::NeedsRenewal) if self.renew(&path).await? => return Ok(false),
            None | Some(BlobAge::NeedsRenewal) => self.upload(file, &path).await?,
            Some(BlobAge::NearlySwept) => {
                self.upload(file, &path).await?;
                tokio::time::sleep(DELETION_SETTLE_TIME).await;
                if self.head(&path).await?.is_none() {
                    self.upload(file, &path).await?;
                }
            }
        }
        Ok(true)
    }

    async fn stat(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        let path = self.backend.path(sha256);
        let Some(meta) = self.head(&path).await? else { return Ok(None) };
        let held = match self.age(&meta) {
            BlobAge::Fresh => true,
            BlobAge::NeedsRenewal => self.renew(&path).await?,
            BlobAge::NearlySwept => false,
        };
        Ok(held.then_some(meta.size))
    }

    async fn open(&self, sha256: &Sha256) -> Result<Option<(u64, BlobStream)>, BlobError> {
        let found = none_if_missing(with_timeout(self.backend.objects.get(&self.backend.path(sha256))).await)?;
        Ok(found.map(|found| (found.meta.size, read::blob_stream(found))))
    }

    async fn sweep(&self, unused_since: Timestamp, pins: &dyn MediaIndex) -> Result<u64, BlobError> {
        let mut swept = 0;
        let mut objects = self.backend.objects.list(Some(&self.backend.blobs_path()));
        while let Some(meta) = with_timeout(objects.try_next()).await.map_err(blob_error)? {
            if modified_at(&meta) >= unused_since {
                continue;
            }
            // What has no digest for a name is a copy that `renew` did not get to delete.
            let digest = meta.location.filename().and_then(|name| name.parse::<Sha256>().ok());
            if let Some(sha256) = digest {
                let pinned = pins.is_pinned(&sha256, Timestamp::now()).await;
                if pinned.map_err(|error| BlobError::Unavailable(format!("whether a blob is pinned: {error}")))? {
                    continue;
                }
            }
            let deleted = self.sweep_one(&meta.location, unused_since).await?;
            swept += u64::from(deleted && digest.is_some());
        }
        self.backend.sweep_leftovers(unused_since).await?;
        Ok(swept)
    }

    async fn ready(&self) -> Result<(), BlobError> {
        // An answer about an object that is not there needs no list, and is cheap.
        match with_timeout(self.backend.objects.get(&self.backend.unused_path())).await {
            Err(error @ Error::NotFound { .. }) if is_missing_bucket(&error) => Err(blob_error(error)),
            Err(Error::NotFound { .. }) | Ok(_) => self.backend.root_is_there().await,
            Err(error) => Err(blob_error(error)),
        }
    }
}

/// An object that is not found is `None`; a bucket that is not found is an error.
fn none_if_missing<T>(result: Result<T, Error>) -> Result<Option<T>, BlobError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ Error::NotFound { .. }) if is_missing_bucket(&error) => Err(blob_error(error)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(blob_error(error)),
    }
}

fn modified_at(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_unix_millis(meta.last_modified.timestamp_millis())
}
