//! Which store, and the little in which the two kinds differ.

use super::errors::{bounded, failed};
use super::folder;
use crate::domain::{Sha256, Timestamp};
use crate::ports::BlobError;
use crate::settings::{BlobLocation, S3Bucket};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Pieces of an upload. S3 takes none below 5 MiB but the last.
const S3_PIECE: usize = 5 * 1024 * 1024;
const FOLDER_PIECE: usize = 256 * 1024;

/// An opened store.
pub(super) struct Store {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) piece: usize,
    prefix: Path,
    /// The folder, if it is one.
    root: Option<PathBuf>,
}

impl Store {
    pub(super) fn open(location: &BlobLocation) -> Result<Self, BlobError> {
        match location {
            BlobLocation::Folder(folder) => {
                let objects = open_folder(folder)
                    .map_err(|reason| BlobError::Unavailable(format!("{}: {reason}", folder.display())))?;
                let prefix = Path::default();
                Ok(Self { objects: Arc::new(objects), piece: FOLDER_PIECE, prefix, root: Some(folder.clone()) })
            }
            BlobLocation::S3(settings) => {
                let prefix = Path::from(settings.prefix.as_str());
                Ok(Self { objects: Arc::new(open_s3(settings)?), piece: S3_PIECE, prefix, root: None })
            }
        }
    }

    /// Where a blob lies.
    pub(super) fn path(&self, sha256: &Sha256) -> Path {
        let name = sha256.to_string();
        self.folder().join(&name[..2]).join(name)
    }

    /// Where all blobs lie.
    pub(super) fn folder(&self) -> Path {
        self.prefix.clone().join("blobs")
    }

    /// Where nothing ever lies.
    pub(super) fn never(&self) -> Path {
        self.folder().join("ready")
    }

    /// Sets the time of the last modification to now. S3 cannot, and refuses to copy an object onto itself, so it
    /// copies there and back; readers see the same bytes all the while.
    pub(super) async fn renew(&self, path: &Path) -> Result<(), object_store::Error> {
        match &self.root {
            Some(root) => folder::touch(root.join(path.as_ref())).await,
            None => {
                let aside = Path::from(format!("{path}.{:016x}", fastrand::u64(..)));
                bounded(self.objects.copy(path, &aside)).await?;
                let renewed = bounded(self.objects.copy(&aside, path)).await;
                // One that stays is swept with the blobs.
                let _ = bounded(self.objects.delete(&aside)).await;
                renewed
            }
        }
    }

    /// Deletes what crashed uploads have left in a folder; a bucket has rules for that.
    pub(super) async fn sweep_leftovers(&self, before: Timestamp) -> Result<(), BlobError> {
        match &self.root {
            Some(root) => folder::sweep_leftovers(root.join(self.folder().as_ref()), before).await,
            None => Ok(()),
        }
    }

    /// Whether the folder is still there: it may be a mount that has gone.
    pub(super) async fn root_is_there(&self) -> Result<(), BlobError> {
        match &self.root {
            Some(root) if !tokio::fs::try_exists(root).await.unwrap_or(false) => {
                Err(BlobError::Unavailable("the folder is gone".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn open_folder(folder: &PathBuf) -> Result<LocalFileSystem, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.kind().to_string())?;
    let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error).to_string())?;
    Ok(objects.with_fsync(true))
}

/// No bound on a whole request: a courier takes its bytes as slowly as Telegram takes them from it. What is bounded is
/// the silence.
fn open_s3(settings: &S3Bucket) -> Result<AmazonS3, BlobError> {
    let client = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(Duration::from_secs(30));
    let retry = RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(15), ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_disable_bulk_delete(true)
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    if let Some(id) = &settings.access_key_id {
        builder = builder.with_access_key_id(id.expose_secret());
    }
    if let Some(secret) = &settings.secret_access_key {
        builder = builder.with_secret_access_key(secret.expose_secret());
    }
    builder.build().map_err(failed)
}
