//! What the adapters that call an HTTP API share: how connections are made, how a response is read, and errors that
//! hold no URL.

use crate::ports::CallError;
use futures_util::StreamExt;
use std::time::Duration;

/// How long it may take to connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next request.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// What is read of a response that is a message or an error; a longer body is neither.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// A client over HTTP/1.1 (local Bot API servers refuse HTTP/2) that keeps connections open and follows no redirects.
/// Whole requests have no timeout unless they set one.
pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("pixcourier/", env!("CARGO_PKG_VERSION")))
}

/// The client of a builder.
///
/// # Errors
/// TLS cannot be set up. The error holds no URL.
pub fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, reqwest::Error> {
    builder.build().map_err(reqwest::Error::without_url)
}

/// The `Retry-After` header, in seconds.
pub fn retry_after(response: &reqwest::Response) -> Option<u64> {
    response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Reads the body, up to [`MAX_RESPONSE_BYTES`].
pub async fn read_body(response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| CallError::MaybeSent(error_text(error)))?;
        if body.len() + piece.len() > MAX_RESPONSE_BYTES {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// An error with its causes, without the URL: that may hold a token.
pub fn error_text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
