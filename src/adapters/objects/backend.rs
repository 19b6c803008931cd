//! The folder or the bucket, and the little in which the two differ.

use super::errors::{blob_error, with_timeout};
use super::folder;
use super::limits::{
    BLOBS_FOLDER, FOLDER_PART_BYTES, S3_CONNECT_TIMEOUT, S3_MAX_RETRIES, S3_PART_BYTES, S3_READ_TIMEOUT,
    S3_RETRY_TIMEOUT,
};
use crate::domain::{Sha256, Timestamp};
use crate::ports::BlobError;
use crate::settings::{BlobLocation, S3Bucket};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Certificate, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;

/// An opened folder or bucket.
pub(super) struct ObjectBackend {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// How large the parts of an upload are.
    pub(super) part_bytes: usize,
    prefix: Path,
    /// The folder, if it is one.
    root: Option<PathBuf>,
}

impl ObjectBackend {
    pub(super) fn open(location: &BlobLocation) -> Result<Self, BlobError> {
        match location {
            BlobLocation::Folder(folder) => {
                let objects = open_folder(folder)
                    .map_err(|reason| BlobError::Unavailable(format!("{}: {reason}", folder.display())))?;
                let prefix = Path::default();
                Ok(Self {
                    objects: Arc::new(objects),
                    part_bytes: FOLDER_PART_BYTES,
                    prefix,
                    root: Some(folder.clone()),
                })
            }
            BlobLocation::S3(settings) => {
                let prefix = Path::from(settings.prefix.as_str());
                Ok(Self { objects: Arc::new(open_s3(settings)?), part_bytes: S3_PART_BYTES, prefix, root: None })
            }
        }
    }

    /// Where a blob lies.
    pub(super) fn path(&self, sha256: &Sha256) -> Path {
        let name = sha256.to_string();
        self.blobs_path().join(&name[..2]).join(name)
    }

    /// Where all blobs lie.
    pub(super) fn blobs_path(&self) -> Path {
        self.prefix.clone().join(BLOBS_FOLDER)
    }

    /// A name that no object ever has.
    pub(super) fn unused_path(&self) -> Path {
        self.blobs_path().join("ready")
    }

    /// Makes a complete file on the disk of a folder an object without copying it; `false` where it has to be copied.
    ///
    /// # Errors
    /// The file is not as large as it should be, or the folder fails.
    pub(super) async fn adopt(&self, file: &std::path::Path, size: u64, path: &Path) -> Result<bool, BlobError> {
        match &self.root {
            Some(root) => folder::adopt(file.to_owned(), size, root.join(path.as_ref())).await,
            None => Ok(false),
        }
    }

    /// Sets the time of the last modification to now. S3 cannot, and refuses to copy an object onto itself, so it
    /// copies there and back; readers see the same bytes all the while.
    pub(super) async fn renew(&self, path: &Path) -> Result<(), object_store::Error> {
        match &self.root {
            Some(root) => folder::touch(root.join(path.as_ref())).await,
            None => {
                let aside = Path::from(format!("{path}.{:016x}", fastrand::u64(..)));
                with_timeout(self.objects.copy(path, &aside)).await?;
                let renewed = with_timeout(self.objects.copy(&aside, path)).await;
                // One that stays is swept with the blobs.
                let _ = with_timeout(self.objects.delete(&aside)).await;
                renewed
            }
        }
    }

    /// Deletes what crashed uploads have left in a folder; a bucket has lifecycle rules for that.
    pub(super) async fn sweep_leftovers(&self, before: Timestamp) -> Result<(), BlobError> {
        match &self.root {
            Some(root) => folder::sweep_leftovers(root.join(self.blobs_path().as_ref()), before).await,
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
    let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| blob_error(error).to_string())?;
    Ok(objects.with_fsync(true))
}

/// A request as a whole has no timeout: a courier takes its bytes as slowly as Telegram takes them from it. The read
/// timeout bounds silence.
fn open_s3(settings: &S3Bucket) -> Result<AmazonS3, BlobError> {
    let mut client = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout_disabled()
        .with_connect_timeout(S3_CONNECT_TIMEOUT)
        .with_read_timeout(S3_READ_TIMEOUT);
    if let Some(ca) = &settings.ca {
        let certificates = Certificate::from_pem_bundle(ca.as_bytes()).map_err(blob_error)?;
        client = certificates.into_iter().fold(client, ClientOptions::with_root_certificate);
    }
    let retry = RetryConfig { max_retries: S3_MAX_RETRIES, retry_timeout: S3_RETRY_TIMEOUT, ..RetryConfig::default() };
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
    builder.build().map_err(blob_error)
}
