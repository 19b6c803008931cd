//! What HTTP clients have in common: connections, answers, and whether a request can have arrived.

use crate::ports::{CallError, OutgoingFile};
use futures_util::{Stream, StreamExt};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Answers are a message or an error; a longer body is not one.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// A client over HTTP/1.1 (local Bot API servers refuse HTTP/2), with connections kept open.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .http1_only()
        .connect_timeout(Duration::from_secs(5))
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("pixcourier/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(reqwest::Error::without_url)
}

/// The `Retry-After` of an answer, in seconds.
pub fn retry_after(response: &reqwest::Response) -> Option<u64> {
    response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Reads the body, up to the limit.
pub async fn read(response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| CallError::MaybeSent(words(error)))?;
        if body.len() + piece.len() > LONGEST_ANSWER {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Whether the files have been handed over whole: before that a server cannot have acted on the request.
pub struct Handover {
    open: Arc<AtomicUsize>,
    fault: Arc<Mutex<Option<String>>>,
    files: usize,
}

impl Handover {
    /// Nothing of these files is handed over yet.
    pub fn new(files: &[OutgoingFile]) -> Self {
        let open = Arc::new(AtomicUsize::new(files.len()));
        Self { open, fault: Arc::default(), files: files.len() }
    }

    /// The file's bytes, noting their end and any fault of their source.
    pub fn watch(
        &self,
        file: OutgoingFile,
    ) -> impl Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send + 'static {
        let (open, fault) = (Arc::clone(&self.open), Arc::clone(&self.fault));
        let mut left = file.size;
        if left == 0 {
            open.fetch_sub(1, Ordering::SeqCst);
        }
        file.content.map(move |piece| match piece {
            Ok(piece) => {
                let before = left;
                left = left.saturating_sub(piece.len() as u64);
                if before > 0 && left == 0 {
                    open.fetch_sub(1, Ordering::SeqCst);
                }
                Ok(piece)
            }
            Err(error) => {
                *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                Err(std::io::Error::other("the image could not be read"))
            }
        })
    }

    /// What an error means for the request.
    pub fn explain(&self, error: reqwest::Error) -> CallError {
        if let Some(fault) = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return CallError::Content(fault);
        }
        let unfinished = self.files > 0 && self.open.load(Ordering::SeqCst) > 0;
        if error.is_connect() || error.is_builder() || unfinished {
            return CallError::NotSent(words(error));
        }
        CallError::MaybeSent(words(error))
    }
}

/// An error's words with its causes, without the URL: that may hold a token.
pub fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
