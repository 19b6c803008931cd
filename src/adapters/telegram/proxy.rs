//! Requests passed through to the Bot API server: the other place where tokens become URLs, and as silent about them.

use crate::adapters::http::words;
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

/// Passes requests on with a pool of connections of its own: a crowd of long polls takes none from the couriers.
pub struct TelegramProxy {
    client: reqwest::Client,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl TelegramProxy {
    /// A way through for these bots.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        // No timeout but for the connection: how long a poll may take is between its two ends.
        let client = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_keepalive(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("pixcourier/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(reqwest::Error::without_url)?;
        Ok(Self { client, bots })
    }
}

#[async_trait]
impl BotApiProxy for TelegramProxy {
    async fn forward(&self, proxy_request: ProxyRequest) -> Result<ProxyResponse, ProxyError> {
        let ProxyRequest { bot, target, method, query, headers, body } = proxy_request;
        let bot = self.bots.get(&bot).and_then(|bot| bot.telegram());
        let bot = bot.ok_or_else(|| ProxyError("the bot is not configured".into()))?;
        let mut url = match target {
            ProxyTarget::Method(name) => bot.method_url(&name),
            ProxyTarget::File(path) => bot.file_url(&path),
        };
        if !query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&query);
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| ProxyError("not an HTTP method".into()))?;
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(reqwest::Body::wrap_stream(body));
        }
        let response = request.send().await.map_err(|error| ProxyError(words(error)))?;
        let status = response.status().as_u16();
        let found = ProxyResponse::HEADERS.into_iter().filter_map(|name| {
            let value = response.headers().get(name)?;
            Some((name, value.as_bytes().to_vec()))
        });
        let headers = found.collect();
        let body = response.bytes_stream().map(|piece| piece.map_err(|error| io::Error::other(words(error))));
        Ok(ProxyResponse { status, headers, body: body.boxed() })
    }
}
