//! Delivering updates to a bot's webhook, one after another, each until it is answered with 2xx.

use super::State;
use super::arguments::Arguments;
use super::call::Call;
use super::methods;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// How long a webhook may take to answer (Bot API server).
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it is left alone after its first failure; twice as long after each further one (Bot API server).
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Where a bot wants its updates.
pub(super) struct Webhook {
    pub url: Url,
    secret: SecretString,
    pub max_connections: i64,
    /// When the last delivery failed, Unix time in seconds, and how.
    pub last_error: Option<(u64, String)>,
}

impl Webhook {
    pub fn new(url: Url, secret: &str, max_connections: i64) -> Self {
        Self { url, secret: secret.to_owned().into(), max_connections, last_error: None }
    }

    pub fn is_same(&self, other: &Self) -> bool {
        let alike = (&self.url, self.max_connections) == (&other.url, other.max_connections);
        alike && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

/// Starts the deliveries of a webhook that was just set; they end when its turn is over.
pub(super) fn deliver(state: Arc<State>, bot: u64, turn: u64) {
    actix_web::rt::spawn(async move {
        // Telegram does not follow redirects to elsewhere.
        let client = Client::builder().no_proxy().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        let client = match client.build() {
            Ok(client) => client,
            Err(e) => return tracing::error!(error = %e, "the sandbox cannot call webhooks"),
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let news = state.desk().updates.of(bot).news.clone();
            let heard = news.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let next = {
                let mut desk = state.desk();
                let mailbox = desk.updates.of(bot);
                let Some(webhook) = mailbox.webhook.as_ref().filter(|_| mailbox.poll == turn) else { return };
                mailbox.oldest().map(|(id, update)| (id, update, webhook.url.clone(), webhook.secret.clone()))
            };
            let Some((id, update, url, secret)) = next else {
                heard.await;
                continue;
            };
            let mut request = client.post(url).json(&update);
            if !secret.expose_secret().is_empty() {
                request = request.header("X-Telegram-Bot-Api-Secret-Token", secret.expose_secret());
            }
            let failure = match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    state.desk().updates.of(bot).delivered(id);
                    pause = FIRST_PAUSE;
                    obey(&state, bot, answer).await;
                    continue;
                }
                Ok(answer) => format!("Wrong response from the webhook: {}", answer.status()),
                Err(e) if e.is_timeout() => "Read timeout expired".to_owned(),
                Err(_) => "Connection refused".to_owned(),
            };
            let date = state.unix_millis(state.now()) / 1000;
            if let Some(webhook) = state.desk().updates.of(bot).webhook.as_mut() {
                webhook.last_error = Some((date, failure));
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    });
}

/// A webhook may answer with a method call, whose result nobody hears of (Bot API).
async fn obey(state: &Arc<State>, bot: u64, mut answer: reqwest::Response) {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return;
        }
    }
    let Some(arguments) = std::str::from_utf8(&body).ok().and_then(Arguments::of_json) else { return };
    if let Some(method) = arguments.text("method").and_then(methods::canonical) {
        let call = Call::new(state.clone(), bot, arguments);
        call.state.desk().stats.request(method);
        // Boxed, since setting a webhook is itself a method.
        let _ = Box::pin(methods::run(&call, method)).await;
    }
}
