//! Image bytes in a shared folder or in a bucket of S3 or of something that speaks its protocol, through
//! `object_store`.
//!
//! A blob is the object `<prefix>/blobs/ab/<sha256>`. Both kinds of store show an object under its name only when it
//! is whole and durable: the folder by writing beside it, fsync and rename, S3 by completing a multipart upload. Its
//! age is the time of the last modification, which is renewed when it is used (put again, or asked for with `stat`) in
//! the later three quarters of its retention.
//!
//! Between a sweep's last look at an object and its deletion another process may renew it. So what is nearly due to be
//! swept counts as absent (`stat`) and is put afresh, and such a put looks again a moment later.
//!
//! A bucket's credentials must allow to get, put, delete and list. Parts of uploads that died with their process stay
//! in a bucket until a lifecycle rule aborts them (`AbortIncompleteMultipartUpload`, a day is plenty).

mod backend;
mod errors;
mod folder;
mod limits;
mod object_blobs;
mod read;

pub use folder::blob_files;
pub use object_blobs::ObjectBlobs;
