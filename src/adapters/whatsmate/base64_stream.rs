//! Base64 of a stream of bytes, without holding it whole.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::io;

/// The stream as standard base64 with padding. Holds one piece and the up to two bytes that make no whole group yet.
pub fn base64_stream(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((bytes.boxed(), Vec::new())), |state| async {
        let (mut bytes, mut rest) = state?;
        match bytes.next().await {
            Some(Ok(piece)) => {
                rest.extend_from_slice(&piece);
                let incomplete = rest.split_off(rest.len() - rest.len() % 3);
                Some((Ok(STANDARD.encode(&rest).into()), Some((bytes, incomplete))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Ok(STANDARD.encode(&rest).into()), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    #[tokio::test]
    async fn pieces_of_any_size_give_the_same_characters() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for step in [1, 2, 3, 7, 999, 1000] {
            for length in [0, 1, 2, 3, 1000] {
                let pieces: Vec<_> = bytes[..length].chunks(step).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
                let text: Vec<Bytes> = base64_stream(stream::iter(pieces)).try_collect().await.unwrap();
                assert_eq!(text.concat(), STANDARD.encode(&bytes[..length]).as_bytes(), "{length} in steps of {step}");
            }
        }
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let pieces = stream::iter([Ok(Bytes::from_static(b"abcd")), Err(io::Error::other("gone"))]);
        assert!(base64_stream(pieces).try_collect::<Vec<_>>().await.is_err());
    }
}
