//! The way through: what a client asks of the Bot API that is no delivery.

use crate::domain::BotName;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::Stream;
use std::io;
use std::pin::Pin;

/// Passes requests on to the Bot API server of a bot, and answers back, both as streams and untouched. Waits as long as
/// the server does: only who asks can give up, by dropping the future or the answer's body.
#[async_trait]
pub trait BotApiProxy: Send + Sync {
    /// Passes one request on.
    async fn forward(&self, proxy_request: ProxyRequest) -> Result<ProxyResponse, ProxyError>;
}

/// A body on its way. An error cuts it off, so that nobody takes a part for the whole.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A request to pass on.
pub struct ProxyRequest {
    /// Whose token stands in the address.
    pub bot: BotName,
    /// What is asked for.
    pub target: ProxyTarget,
    /// The HTTP method.
    pub method: &'static str,
    /// The query string as it came, without the question mark.
    pub query: String,
    /// Headers worth passing on; with `content-length` the body has that length, else none in particular.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The body, if there is one.
    pub body: Option<ByteStream>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTarget {
    /// To a method: ASCII letters, digits and underscores.
    Method(String),
    /// To a file, by its path as `getFile` gives it, percent-encoded.
    File(String),
}

/// What came back.
pub struct ProxyResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers that [`ProxyResponse::HEADERS`] names.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The body.
    pub body: ByteStream,
}

impl ProxyResponse {
    /// The headers of an answer that are passed back.
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

/// No answer came. Holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProxyError(pub String);
