//! Requests passed through to the Bot API server: the other place where tokens become URLs, and as silent about them.

use crate::adapters::http::words;
use crate::domain::BotName;
use crate::ports::{Passage, PassageError, Passed, Passenger, To};
use crate::settings::Bot;
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::Method;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Passes requests on with a pool of connections of its own: a crowd of long polls takes none from the couriers.
pub struct TelegramPassage {
    client: reqwest::Client,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl TelegramPassage {
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
impl Passage for TelegramPassage {
    async fn pass(&self, passenger: Passenger) -> Result<Passed, PassageError> {
        let Passenger { bot, to, verb, query, headers, body } = passenger;
        let bot = self.bots.get(&bot).and_then(|bot| bot.telegram());
        let bot = bot.ok_or_else(|| PassageError("the bot is not configured".into()))?;
        let mut url = match to {
            To::Method(name) => bot.method_url(&name),
            To::File(path) => bot.file_url(&path),
        };
        if !query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&query);
        }
        let verb = Method::from_bytes(verb.as_bytes()).map_err(|_| PassageError("not an HTTP verb".into()))?;
        let mut request = self.client.request(verb, url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(reqwest::Body::wrap_stream(body));
        }
        let response = request.send().await.map_err(|error| PassageError(words(error)))?;
        let status = response.status().as_u16();
        let found = Passed::HEADERS.into_iter().filter_map(|name| {
            let value = response.headers().get(name)?;
            Some((name, value.as_bytes().to_vec()))
        });
        let headers = found.collect();
        let body = response.bytes_stream().map(|piece| piece.map_err(|error| io::Error::other(words(error))));
        Ok(Passed { status, headers, body: body.boxed() })
    }
}
