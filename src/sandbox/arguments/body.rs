//! Reading bodies under a limit.

use super::call_arguments::RequestReadError;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};

/// The connection broke off, or the body is not what it says it is.
pub const BROKEN: RequestReadError = RequestReadError::Status(400);

/// The whole body, or the whole of one part of it.
pub async fn read_to_end<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    max_bytes: usize,
) -> Result<Vec<u8>, RequestReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BROKEN)?;
        if body.len() + chunk.len() > max_bytes {
            return Err(RequestReadError::Status(413));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a body that means nothing.
pub async fn discard<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    max_bytes: u64,
) -> Result<(), RequestReadError> {
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        bytes += chunk.map_err(|_| BROKEN)?.len() as u64;
        if bytes > max_bytes {
            return Err(RequestReadError::TooLarge);
        }
    }
    Ok(())
}
