//! The reverse proxy to the Bot API, for calls of clients that are no delivery.

use crate::domain::BotName;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::Stream;
use std::io;
use std::pin::Pin;

/// Passes requests on to the Bot API server of a bot, and responses back, both as streams and unchanged. Has no timeout of
/// its own: the caller gives up by dropping the future or the response's body.
#[async_trait]
pub trait BotApiProxy: Send + Sync {
    /// Passes one request on.
    async fn forward(&self, proxy_request: ProxyRequest) -> Result<ProxyResponse, ProxyError>;
}

/// A body that is being streamed. An error cuts it off, so that a part is not taken for the whole.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A request to pass on.
pub struct ProxyRequest {
    /// Whose token stands in the address.
    pub bot: BotName,
    /// What it is for.
    pub target: ProxyTarget,
    /// The HTTP method.
    pub method: &'static str,
    /// The query string as it came, without the question mark.
    pub query: String,
    /// The headers to pass on; with `content-length` the body has that length, else it is sent in chunks.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The body, if there is one.
    pub body: Option<ByteStream>,
}

/// What a proxied request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTarget {
    /// A method: ASCII letters, digits and underscores.
    Method(String),
    /// A file, by its path as `getFile` gives it, percent-encoded.
    File(String),
}

/// The response of the Bot API server.
pub struct ProxyResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers that [`ProxyResponse::HEADERS`] names.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The body.
    pub body: ByteStream,
}

impl ProxyResponse {
    /// The headers of a response that are passed back.
    pub const HEADERS: [&'static str; 11] = [
        "content-type",
        "content-length",
        "content-encoding",
        "content-range",
        "content-disposition",
        "accept-ranges",
        "cache-control",
        "etag",
        "last-modified",
        "retry-after",
        "vary",
    ];
}

/// No response came. Holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProxyError(pub String);
