//! A reverse proxy to the Bot API server, for what a client asks that is no delivery. Requests and responses pass
//! through as streams.

use super::api_url::ApiUrl;
use crate::adapters::http_client::{self, error_text};
use crate::domain::BotName;
use crate::ports::{BotApiProxy, ProxyError, ProxyRequest, ProxyResponse, ProxyTarget};
use crate::settings::Bot;
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::Method;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How often a connection is probed that says nothing, as during a long poll.
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// [`BotApiProxy`] with a pool of connections of its own: many long polls at once take none from the couriers.
pub struct TelegramProxy {
    client: reqwest::Client,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl TelegramProxy {
    /// A proxy for these bots. It has no timeout but for the connection: how long a poll may take is between its two
    /// ends.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        let client = http_client::build(http_client::builder().tcp_keepalive(TCP_KEEPALIVE_INTERVAL))?;
        Ok(Self { client, bots })
    }
}

#[async_trait]
impl BotApiProxy for TelegramProxy {
    async fn forward(&self, proxy_request: ProxyRequest) -> Result<ProxyResponse, ProxyError> {
        let ProxyRequest { bot, target, method, query, headers, body } = proxy_request;
        let account = self.bots.get(&bot).and_then(|bot| bot.telegram());
        let account = account.ok_or_else(|| ProxyError("the bot is not configured".into()))?;
        let url = match target {
            ProxyTarget::Method(name) => ApiUrl::of_method(account, &name),
            ProxyTarget::File(path) => ApiUrl::of_file(account, &path),
        };
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| ProxyError("not an HTTP method".into()))?;
        let mut request = url.with_query(&query).request(&self.client, method);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(reqwest::Body::wrap_stream(body));
        }
        let response = request.send().await.map_err(|error| ProxyError(error_text(error)))?;
        let status = response.status().as_u16();
        let found = ProxyResponse::HEADERS.into_iter().filter_map(|name| {
            let value = response.headers().get(name)?;
            Some((name, value.as_bytes().to_vec()))
        });
        let headers = found.collect();
        let body = response.bytes_stream().map(|piece| piece.map_err(|error| io::Error::other(error_text(error))));
        Ok(ProxyResponse { status, headers, body: body.boxed() })
    }
}
