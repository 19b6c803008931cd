//! An image that a request names by its digest, brought to where it can be checked like one that came along.

use super::accept::Intake;
use super::rejection::Rejection;
use super::spool::{FILE_LIMIT_BYTES, Upload};
use crate::domain::Sha256;
use futures_util::StreamExt;

impl Intake {
    /// A copy of a stored file in the spool; `None` if it is not held (any more).
    ///
    /// # Errors
    /// If the blob store is away, the disk is full, or the file is larger than any that Telegram takes.
    pub async fn fetch(&self, sha256: &Sha256, field: &str) -> Result<Option<Upload>, Rejection> {
        let Some((_, mut pieces)) = self.ports.blobs.open(sha256).await? else { return Ok(None) };
        let mut writer = self.spool.begin_file(field, FILE_LIMIT_BYTES);
        while let Some(piece) = pieces.next().await {
            writer.write(&piece?)?;
        }
        writer.finish().await.map(Some)
    }
}
