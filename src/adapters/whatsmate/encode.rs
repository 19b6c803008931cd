//! Bytes as base64 while they pass by.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::io;

/// The stream in standard base64 with padding; holds one piece and two bytes at the most.
pub fn encoded(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((bytes.boxed(), Vec::new())), |state| async {
        let (mut bytes, mut rest) = state?;
        match bytes.next().await {
            Some(Ok(piece)) => {
                rest.extend_from_slice(&piece);
                let begun = rest.split_off(rest.len() - rest.len() % 3);
                Some((Ok(STANDARD.encode(&rest).into()), Some((bytes, begun))))
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
                let text: Vec<Bytes> = encoded(stream::iter(pieces)).try_collect().await.unwrap();
                assert_eq!(text.concat(), STANDARD.encode(&bytes[..length]).as_bytes(), "{length} in steps of {step}");
            }
        }
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let pieces = stream::iter([Ok(Bytes::from_static(b"abcd")), Err(io::Error::other("gone"))]);
        assert!(encoded(pieces).try_collect::<Vec<_>>().await.is_err());
    }
}
