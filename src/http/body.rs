//! A request's body as a stream within limits: of bytes, of its rate, and of time in all.

use super::body_rate::BodyRate;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, LocalBoxStream};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a whole body may take: 50 MiB at 470 kbit/s.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(900);
/// The largest piece that is handed on; larger ones are cut up, so that what readers hold stays small.
const MAX_PIECE_BYTES: usize = 16 * 1024;

/// A body within limits.
pub struct Body {
    /// Its bytes as they arrive.
    pub pieces: LocalBoxStream<'static, Result<Bytes, PayloadError>>,
    /// What went wrong, once the stream has yielded an error.
    pub error: BodyError,
}

/// What cut a body off, if something did: one of our own limits, or the connection.
#[derive(Clone)]
pub struct BodyError {
    code: Rc<Cell<Option<ProblemCode>>>,
    limit: u64,
}

impl BodyError {
    /// The rejection that an error in the body leads to.
    pub fn rejection(&self) -> Rejection {
        match self.code.get() {
            Some(ProblemCode::RequestTimeout) => Rejection::new(
                ProblemCode::RequestTimeout,
                "The body came at less than 1 kB a second for 10 s, or was not whole after 15 minutes. Send it faster.",
            ),
            Some(ProblemCode::BodyTooLarge) => too_large(self.limit),
            _ => Rejection::new(ProblemCode::IncompleteBody, "The body ended before it was whole."),
        }
    }

    /// Whether the body was cut off.
    pub fn is_set(&self) -> bool {
        self.code.get().is_some()
    }

    fn set(&self, code: ProblemCode) -> PayloadError {
        self.code.set(Some(code));
        PayloadError::Overflow
    }
}

struct BodyReader {
    payload: Payload,
    rest: Bytes,
    left: u64,
    rate: BodyRate,
    end: Instant,
    error: BodyError,
}

/// The header `Content-Type` as it stands there; empty if it is missing.
pub fn content_type_header(request: &HttpRequest) -> &[u8] {
    request.headers().get(header::CONTENT_TYPE).map_or(&[], |value| value.as_bytes())
}

/// The media type of a request's body, in lower case and without its parameters, which may be anything; empty if the
/// header is missing.
pub fn content_type(request: &HttpRequest) -> String {
    let essence = content_type_header(request).split(|byte| b"; ".contains(byte)).next().unwrap_or_default();
    String::from_utf8_lossy(essence).to_ascii_lowercase()
}

impl Body {
    /// Puts limits on the body of a request, `limit` in bytes.
    ///
    /// # Errors
    /// If its headers already say that it is too large or compressed.
    pub fn new(request: &HttpRequest, payload: Payload, limit: u64) -> Result<Self, Rejection> {
        Self::within(request, payload, limit, WHOLE_TIMEOUT)
    }

    /// The same for a body that may take longer or shorter than 15 minutes.
    pub fn within(request: &HttpRequest, payload: Payload, limit: u64, whole: Duration) -> Result<Self, Rejection> {
        let headers = request.headers();
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Rejection::field(
                ProblemCode::UnsupportedMediaType,
                "Content-Encoding",
                "Compressed bodies are not supported: images are compressed already. Send it as it is.",
            ));
        }
        Ok(Self::limited(payload, limit, BodyRate::new(), whole))
    }

    /// The whole body, if it has at most `limit` bytes; else the error that `too_long` makes.
    pub async fn collect<E: From<Rejection>>(mut self, limit: usize, too_long: impl Fn() -> E) -> Result<Vec<u8>, E> {
        let mut whole = Vec::new();
        while let Some(piece) = self.pieces.next().await {
            whole.extend_from_slice(&piece.map_err(|_| self.error.rejection())?);
            if whole.len() > limit {
                return Err(too_long());
            }
        }
        Ok(whole)
    }

    /// The whole body, in memory; for bodies whose limit is small.
    pub async fn collect_within_limit(self) -> Result<Vec<u8>, Rejection> {
        let limit = self.error.limit;
        self.collect(usize::MAX, || too_large(limit)).await
    }

    fn limited(payload: Payload, limit: u64, rate: BodyRate, whole: Duration) -> Self {
        let error = BodyError { code: Rc::default(), limit };
        let end = Instant::now() + whole;
        let reading = BodyReader { payload, rest: Bytes::new(), left: limit, rate, end, error: error.clone() };
        let pieces = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        });
        Self { pieces: pieces.boxed_local(), error }
    }
}

impl BodyReader {
    async fn next(&mut self) -> Result<Option<Bytes>, PayloadError> {
        while self.rest.is_empty() {
            let begun = Instant::now();
            let deadline = self.end.min(begun + self.rate.patience());
            match timeout_at(deadline, self.payload.next()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(piece))) => self.rest = piece,
                Ok(Some(Err(_))) => return Err(self.error.set(ProblemCode::IncompleteBody)),
                Err(_) => return Err(self.error.set(ProblemCode::RequestTimeout)),
            }
            if !self.rate.arrived(self.rest.len(), begun.elapsed()) {
                return Err(self.error.set(ProblemCode::RequestTimeout));
            }
            match self.left.checked_sub(self.rest.len() as u64) {
                Some(left) => self.left = left,
                None => return Err(self.error.set(ProblemCode::BodyTooLarge)),
            }
        }
        let length = self.rest.len().min(MAX_PIECE_BYTES);
        Ok(Some(self.rest.split_to(length)))
    }
}

fn too_large(limit: u64) -> Rejection {
    let detail = format!(
        "The body may have {limit} bytes (body_limit_mb). A photo may have 10 MiB, another file 50 MB; multipart needs the fewest bytes."
    );
    Rejection::new(ProblemCode::BodyTooLarge, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(30);

    /// Reads a body that sends the pieces and then stalls for ever.
    async fn read(pieces: &[&'static [u8]], limit: u64, patience: Duration, whole: Duration) -> (usize, ProblemCode) {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let endless = stream::iter(pieces).chain(stream::pending()).boxed_local();
        let payload = Payload::Stream { payload: endless };
        let mut body = Body::limited(payload, limit, BodyRate::with_patience(patience), whole);
        let mut read = 0;
        while let Some(Ok(piece)) = body.pieces.next().await {
            assert!(piece.len() <= MAX_PIECE_BYTES);
            read += piece.len();
        }
        assert!(body.error.is_set());
        (read, body.error.rejection().code)
    }

    #[tokio::test]
    async fn a_body_that_stalls_or_takes_for_ever_times_out() {
        assert_eq!(read(&[b"abc"], 10, SHORT, LONG).await, (3, ProblemCode::RequestTimeout));
        assert_eq!(read(&[b"abc"], 10, LONG, SHORT).await, (3, ProblemCode::RequestTimeout));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_cut_off_and_large_pieces_are_cut_up() {
        assert_eq!(read(&[b"abc", b"def", b"g"], 6, LONG, LONG).await, (6, ProblemCode::BodyTooLarge));
        assert_eq!(read(&[&[0; 100_000]], 100_000, SHORT, SHORT).await, (100_000, ProblemCode::RequestTimeout));
    }
}
