//! One request to a receiver.

use super::public_resolver::{PrivateAddressError, PublicResolver};
use super::try_error::TryError;
use super::{payload, signature};
use crate::domain::{CallbackEvent, Timestamp};
use crate::settings::CallbackSecret;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How long a request may take in all, from the look-up of the name to the end of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may take to connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next request.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What is read of a response, so that its connection can be used again; what it says does not matter.
const MAX_RESPONSE_BYTES: usize = 8 * 1024;
/// What is kept of an error.
const MAX_ERROR_CHARS: usize = 200;

/// Calls receivers: directly, since a proxy would look names up by itself, and without following redirects, which would lead
/// wherever a receiver likes.
pub struct ReceiverClient {
    client: Client,
    allow_private: bool,
}

impl ReceiverClient {
    /// A client that calls private addresses, or does not.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .user_agent(concat!("pixcourier/", env!("CARGO_PKG_VERSION")));
        if !allow_private {
            builder = builder.dns_resolver(Arc::new(PublicResolver));
        }
        Ok(Self { client: builder.build()?, allow_private })
    }

    /// Tells a receiver of an event. `Ok` if it has taken it.
    pub async fn tell(&self, event: &CallbackEvent, secrets: &[CallbackSecret]) -> Result<(), TryError> {
        if secrets.is_empty() {
            return Err(TryError::NoSecret);
        }
        // What is an address already is not looked up.
        if !self.allow_private && event.url.names_private_address() {
            return Err(TryError::PrivateAddress);
        }
        let (id, timestamp, body) = (event.id.to_string(), Timestamp::now().unix_millis() / 1000, payload::of(event));
        let request = self
            .client
            .post(event.url.expose())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature::header(secrets, &id, timestamp, &body))
            .body(body);
        let response = request.send().await.map_err(|error| try_error(&error))?;
        let (status, retry_after) = (response.status(), retry_after(&response));
        read_some(response).await;
        match status.as_u16() {
            200..300 => Ok(()),
            410 => Err(TryError::Gone),
            status => Err(TryError::Status(status, retry_after)),
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Reads the body, if it is short. How it ends does not matter any more: the status has come.
async fn read_some(response: Response) {
    let (mut pieces, mut bytes) = (response.bytes_stream(), 0);
    while let Some(Ok(piece)) = pieces.next().await {
        bytes += piece.len();
        if bytes > MAX_RESPONSE_BYTES {
            return;
        }
    }
}

fn try_error(error: &reqwest::Error) -> TryError {
    let mut root: &(dyn Error + 'static) = error;
    while let Some(cause) = root.source() {
        root = cause;
        if root.downcast_ref::<PrivateAddressError>().is_some() {
            return TryError::PrivateAddress;
        }
    }
    if error.is_timeout() {
        return TryError::Timeout(if error.is_connect() { CONNECT_TIMEOUT } else { REQUEST_TIMEOUT });
    }
    // The root holds no URL; the error itself does.
    let what = if error.is_connect() { "cannot connect" } else { "the request failed" };
    let cause = if std::ptr::addr_eq(root, error) { String::new() } else { format!(": {root}") };
    TryError::Connection(format!("{what}{cause}").chars().take(MAX_ERROR_CHARS).collect())
}
