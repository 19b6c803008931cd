//! Reading spooled uploads and objects without holding them whole.

use super::errors::{blob_error, spool_error};
use super::limits::MAX_READ_BYTES;
use crate::ports::{BlobError, BlobStream};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::{GetResult, GetResultPayload};
use std::io;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The next `size` bytes of a spooled upload, at most a part of an upload to the store.
pub(super) async fn read_exactly(file: &mut (impl AsyncRead + Unpin), size: u64) -> Result<Bytes, BlobError> {
    let size = usize::try_from(size).expect("a part fits into memory");
    let mut piece = BytesMut::zeroed(size);
    file.read_exact(&mut piece).await.map_err(|error| spool_error(&error))?;
    Ok(piece.freeze())
}

/// The content of an object. It is read as fast as it is taken, however slow that is.
pub(super) fn blob_stream(found: GetResult) -> BlobStream {
    let left = found.range.end - found.range.start;
    match found.payload {
        GetResultPayload::File(file, _) => {
            Box::pin(stream::try_unfold((File::from_std(file), left), async |(mut file, left)| {
                if left == 0 {
                    return Ok(None);
                }
                let piece = file_piece(&mut file, left)
                    .await
                    .map_err(|error| BlobError::Unavailable(format!("a blob cannot be read: {}", error.kind())))?;
                let left = left - piece.len() as u64;
                Ok(Some((piece, (file, left))))
            }))
        }
        GetResultPayload::Stream(bytes) => {
            Box::pin(bytes.map_err(blob_error).map_ok(|bytes| stream::iter(split(bytes).map(Ok))).try_flatten().boxed())
        }
    }
}

async fn file_piece(file: &mut File, left: u64) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(usize::try_from(left).unwrap_or(MAX_READ_BYTES).min(MAX_READ_BYTES));
    file.read_exact(&mut piece).await?;
    Ok(piece.freeze())
}

fn split(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || (!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(MAX_READ_BYTES))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_chunks_are_split_and_nothing_is_lost() {
        let bytes = Bytes::from(vec![7; 2 * MAX_READ_BYTES + 1]);
        let lengths: Vec<_> = split(bytes).map(|piece| piece.len()).collect();
        assert_eq!(lengths, [MAX_READ_BYTES, MAX_READ_BYTES, 1]);
        assert_eq!(split(Bytes::new()).count(), 0);
    }
}
