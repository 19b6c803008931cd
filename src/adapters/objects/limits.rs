//! Every time, size and number that bounds the use of an object store, and where it holds the blobs.

use std::time::Duration;

/// The folder below the prefix in which all blobs lie.
pub const BLOBS_FOLDER: &str = "blobs";
/// Files that are uploaded in parts at the same time, which bounds the memory that these take.
pub const MAX_CONCURRENT_UPLOADS: usize = 4;
/// Parts of a multipart upload to S3, which takes none below 5 MiB but the last.
pub const S3_PART_BYTES: usize = 5 * 1024 * 1024;
/// Parts of an upload into a folder.
pub const FOLDER_PART_BYTES: usize = 256 * 1024;
/// The largest piece of a blob that is handed to a reader.
pub const MAX_READ_BYTES: usize = 256 * 1024;

/// How long one request to the store may take, retries included; a part of 5 MiB goes up in it at 1 Mbit/s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(45);
/// How long it may take to connect to S3.
pub const S3_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long S3 may be silent within a response.
pub const S3_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// After this time no further retry of a request to S3 is begun.
pub const S3_RETRY_TIMEOUT: Duration = Duration::from_secs(15);
/// Retries of a request to S3.
pub const S3_MAX_RETRIES: usize = 3;

/// How long before it may be swept an object counts as absent, unless a quarter of the retention is shorter.
pub const SWEEP_MARGIN: Duration = Duration::from_secs(3600);
/// After this time a deletion that was decided on before a put has happened, or never will.
pub const DELETION_SETTLE_TIME: Duration = Duration::from_secs(1);
