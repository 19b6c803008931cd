//! Image bytes in a shared folder or in a bucket of S3 or of something that speaks its protocol, through
//! `object_store`.
//!
//! A blob is the object `<prefix>/blobs/ab/<sha256>`. Both kinds of store show an object under its name only when it
//! is whole and durable: the folder by writing beside it, fsync and rename, S3 by completing a multipart upload. Its
//! age is the time of the last modification, which is renewed when it is used (put again, or asked for with `stat`) in
//! the later three quarters of its retention.
//!
//! Between a sweep's last look at an object and its deletion another process may renew it. So what is nearly due to be
//! swept counts as absent ([`Blobs::stat`]) and is put afresh, and such a put looks again a moment later.
//!
//! A bucket's credentials must allow to get, put, delete and list. Parts of uploads that died with their process stay
//! in a bucket until a lifecycle rule aborts them (`AbortIncompleteMultipartUpload`, a day is plenty).

mod errors;
mod folder;
mod read;
mod store;

use crate::domain::{Sha256, Timestamp};
use crate::ports::{BlobError, BlobStream, Blobs, MediaIndex, Spooled};
use crate::settings::BlobLocation;
use async_trait::async_trait;
use errors::{bounded, failed, is_missing_bucket};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use std::time::Duration;
use store::Store;
use tokio::fs::File;
use tokio::sync::Semaphore;

/// Uploads to the store at the same time, which bounds the memory that their pieces take.
const UPLOADS: usize = 4;
/// How long an object may be due for deletion before it is taken for gone, if the retention is long enough for that.
const MARGIN: Duration = Duration::from_secs(3600);
/// After this a deletion decided before a put has happened, or never will.
const SETTLING: Duration = Duration::from_secs(1);

/// [`Blobs`] in a folder or a bucket.
pub struct ObjectBlobs {
    store: Store,
    retention: Duration,
    uploads: Semaphore,
}

/// What to make of an object that is there, by its age.
enum Age {
    /// Used lately.
    Fresh,
    /// To be renewed when it is used.
    Usable,
    /// A sweep may be about to delete it.
    Due,
}

impl ObjectBlobs {
    /// Opens the store. `retention` is how long after its last use a blob may be swept. A folder is created; a bucket
    /// is not looked at, so that the process starts while it is away.
    pub fn new(location: &BlobLocation, retention: Duration) -> Result<Self, BlobError> {
        Ok(Self { store: Store::open(location)?, retention, uploads: Semaphore::new(UPLOADS) })
    }

    fn age(&self, meta: &ObjectMeta) -> Age {
        let age = Timestamp::now().since(modified(meta));
        let due = self.retention - MARGIN.min(self.retention / 4);
        match age {
            age if age >= due => Age::Due,
            age if age >= self.retention / 4 => Age::Usable,
            _ => Age::Fresh,
        }
    }

    async fn head(&self, path: &Path) -> Result<Option<ObjectMeta>, BlobError> {
        optional(bounded(self.store.objects.head(path)).await)
    }

    /// Uploads the file whole; an upload that fails leaves nothing under the object's name.
    async fn upload(&self, file: &Spooled, path: &Path) -> Result<(), BlobError> {
        let _permit = self.uploads.acquire().await.expect("the semaphore is never closed");
        let mut source = File::open(&file.path).await.map_err(|error| errors::spool(&error))?;
        let mut left = file.size;
        if left <= self.store.piece as u64 {
            let whole = read::exactly(&mut source, left).await?;
            return bounded(self.store.objects.put(path, PutPayload::from_bytes(whole)))
                .await
                .map(drop)
                .map_err(failed);
        }
        let mut upload = bounded(self.store.objects.put_multipart(path)).await.map_err(failed)?;
        let written = async {
            while left > 0 {
                let piece = read::exactly(&mut source, left.min(self.store.piece as u64)).await?;
                left -= piece.len() as u64;
                bounded(upload.put_part(PutPayload::from_bytes(piece))).await.map_err(failed)?;
            }
            bounded(upload.complete()).await.map(drop).map_err(failed)
        };
        let written = written.await;
        if written.is_err() {
            let _ = bounded(upload.abort()).await;
        }
        written
    }

    /// Makes an object count as used now; `false` if it is gone.
    async fn renew(&self, path: &Path) -> Result<bool, BlobError> {
        optional(self.store.renew(path).await).map(|renewed| renewed.is_some())
    }

    /// Deletes an object if it is still as old as it was listed.
    async fn sweep_one(&self, path: &Path, unused_since: Timestamp) -> Result<bool, BlobError> {
        match self.head(path).await? {
            Some(meta) if modified(&meta) < unused_since => {
                optional(bounded(self.store.objects.delete(path)).await).map(|deleted| deleted.is_some())
            }
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn put(&self, file: &Spooled) -> Result<(), BlobError> {
        let path = self.store.path(&file.sha256);
        let present = self.head(&path).await?.filter(|meta| meta.size == file.size);
        match present.map(|meta| self.age(&meta)) {
            Some(Age::Fresh) => Ok(()),
            Some(Age::Usable) if self.renew(&path).await? => Ok(()),
            None | Some(Age::Usable) => self.upload(file, &path).await,
            Some(Age::Due) => {
                self.upload(file, &path).await?;
                tokio::time::sleep(SETTLING).await;
                if self.head(&path).await?.is_none() { self.upload(file, &path).await } else { Ok(()) }
            }
        }
    }

    async fn stat(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        let path = self.store.path(sha256);
        let Some(meta) = self.head(&path).await? else { return Ok(None) };
        let held = match self.age(&meta) {
            Age::Fresh => true,
            Age::Usable => self.renew(&path).await?,
            Age::Due => false,
        };
        Ok(held.then_some(meta.size))
    }

    async fn open(&self, sha256: &Sha256) -> Result<Option<(u64, BlobStream)>, BlobError> {
        let found = optional(bounded(self.store.objects.get(&self.store.path(sha256))).await)?;
        Ok(found.map(|found| (found.meta.size, read::pieces(found))))
    }

    async fn sweep(&self, unused_since: Timestamp, pins: &dyn MediaIndex) -> Result<u64, BlobError> {
        let mut swept = 0;
        let mut objects = self.store.objects.list(Some(&self.store.folder()));
        while let Some(meta) = bounded(objects.try_next()).await.map_err(failed)? {
            if modified(&meta) >= unused_since {
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
        self.store.sweep_leftovers(unused_since).await?;
        Ok(swept)
    }

    async fn ready(&self) -> Result<(), BlobError> {
        // An answer about an object that is not there needs no list, and is cheap.
        match bounded(self.store.objects.get(&self.store.never())).await {
            Err(error @ Error::NotFound { .. }) if is_missing_bucket(&error) => Err(failed(error)),
            Err(Error::NotFound { .. }) | Ok(_) => self.store.root_is_there().await,
            Err(error) => Err(failed(error)),
        }
    }
}

/// Not found is an answer.
fn optional<T>(result: Result<T, Error>) -> Result<Option<T>, BlobError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ Error::NotFound { .. }) if is_missing_bucket(&error) => Err(failed(error)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn modified(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_unix_millis(meta.last_modified.timestamp_millis())
}
