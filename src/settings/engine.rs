//! The engine and what it needs.

use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which engine.
#[derive(Clone, Debug)]
pub enum EngineSettings {
    /// One process, one SQLite file in `data_dir`.
    Embedded,
    /// RabbitMQ, Redis and an object store.
    Distributed(Box<DistributedSettings>),
}

impl EngineSettings {
    /// The folder of the images, if they have one beside `data_dir`.
    pub fn image_folder(&self) -> Option<&Path> {
        match self {
            Self::Distributed(parts) => match &parts.blobs {
                BlobLocation::Folder(folder) => Some(folder),
                BlobLocation::S3(_) => None,
            },
            Self::Embedded => None,
        }
    }
}

/// What the distributed engine needs.
#[derive(Clone, Debug)]
pub struct DistributedSettings {
    /// Broker addresses (`amqp://` or `amqps://`), tried in rotation.
    pub amqp_urls: Vec<SecretString>,
    /// The ledger (`redis://` or `rediss://`).
    pub redis_url: SecretString,
    /// Where image bytes live.
    pub blobs: BlobLocation,
    /// Certificates of authorities (PEM) that are trusted besides the system's when connecting to RabbitMQ and Redis.
    pub ca: Option<Arc<str>>,
    /// Put in front of every queue, exchange and key, so that installations can share servers.
    pub namespace: String,
}

/// Where the distributed engine keeps image bytes.
#[derive(Clone, Debug)]
pub enum BlobLocation {
    /// A folder that all processes share (`file:///…`).
    Folder(PathBuf),
    /// A bucket of S3 or of something that speaks its protocol (`s3://bucket/prefix`).
    S3(S3Bucket),
}

/// A bucket and how to reach it.
#[derive(Clone, Debug)]
pub struct S3Bucket {
    /// The bucket.
    pub bucket: String,
    /// Put in front of every object's name, without slashes at its ends.
    pub prefix: String,
    /// The server, for other than Amazon's own; `http://` is allowed.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The access key's id.
    pub access_key_id: Option<SecretString>,
    /// The access key's secret.
    pub secret_access_key: Option<SecretString>,
    /// Certificates of authorities (PEM) that are trusted besides the system's.
    pub ca: Option<Arc<str>>,
}
