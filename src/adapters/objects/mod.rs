//! Image bytes in a shared folder or an S3-compatible bucket.
