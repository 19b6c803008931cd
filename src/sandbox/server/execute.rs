//! Carries out a method, and the deliveries to the webhook that it has set: updates one after another, each until it is
//! answered with 2xx, with exponential backoff.

use crate::sandbox::arguments::SandboxArguments;
use crate::sandbox::method_names;
use crate::sandbox::methods::{SandboxCall, run};
use crate::sandbox::sandbox_error::ApiResult;
use crate::sandbox::state::SandboxState;
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long a webhook may take to answer (Bot API server).
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it is left alone after its first failure; twice as long after each further one (Bot API server).
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Carries out a method by its proper spelling.
pub async fn execute(call: &SandboxCall, method: &'static str) -> ApiResult<Value> {
    let result = run(call, method).await;
    if let Some(turn) = call.webhook_turn.take() {
        start_deliveries(call.state.clone(), call.bot, turn);
    }
    result
}

/// Starts the deliveries of a webhook that was just set; they end when its turn is over.
fn start_deliveries(state: Arc<SandboxState>, bot: u64, turn: u64) {
    // Telegram does not follow redirects to elsewhere.
    let client = Client::builder().no_proxy().timeout(WEBHOOK_TIMEOUT).redirect(reqwest::redirect::Policy::none());
    match client.build() {
        Ok(client) => drop(actix_web::rt::spawn(deliver(state, client, bot, turn))),
        Err(e) => tracing::error!(error = %e, "the sandbox cannot call webhooks"),
    }
}

async fn deliver(state: Arc<SandboxState>, client: Client, bot: u64, turn: u64) {
    let mut retry_delay = FIRST_RETRY_DELAY;
    loop {
        let changed = state.updates.lock().of(bot).changed.clone();
        let notified = changed.notified();
        tokio::pin!(notified);
        // From here on no change is missed.
        notified.as_mut().enable();
        let next = {
            let mut updates = state.updates.lock();
            let queue = updates.of(bot);
            let Some(webhook) = queue.webhook.as_ref().filter(|_| queue.consumer == turn) else { return };
            queue.oldest().map(|(id, update)| (id, update, webhook.url.clone(), webhook.secret.clone()))
        };
        let Some((id, update, url, secret)) = next else {
            notified.await;
            continue;
        };
        match post(&client, url, &secret, &update).await {
            Ok(answer) => {
                state.updates.lock().of(bot).delivered(id);
                retry_delay = FIRST_RETRY_DELAY;
                execute_answer(&state, bot, answer).await;
            }
            Err(failure) => {
                let date = state.clock.unix_millis(state.clock.now()) / 1000;
                if let Some(webhook) = state.updates.lock().of(bot).webhook.as_mut() {
                    webhook.last_error = Some((date, failure));
                }
                tokio::time::sleep(retry_delay).await;
                retry_delay = MAX_RETRY_DELAY.min(retry_delay * 2);
            }
        }
    }
}

/// Posts an update. Says what failed as `getWebhookInfo` does.
async fn post(client: &Client, url: Url, secret: &SecretString, update: &Value) -> Result<Response, String> {
    let mut request = client.post(url).json(update);
    if !secret.expose_secret().is_empty() {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", secret.expose_secret());
    }
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(answer),
        Ok(answer) => Err(format!("Wrong response from the webhook: {}", answer.status())),
        Err(e) if e.is_timeout() => Err("Read timeout expired".to_owned()),
        Err(_) => Err("Connection refused".to_owned()),
    }
}

/// A webhook may answer with a method call, whose result nobody hears of (Bot API).
async fn execute_answer(state: &Arc<SandboxState>, bot: u64, mut answer: Response) {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return;
        }
    }
    let Ok(arguments) = SandboxArguments::of_json(&body) else { return };
    if let Some(method) = arguments.text("method").and_then(method_names::canonical) {
        let call = SandboxCall::new(state.clone(), bot, arguments);
        call.state.stats.lock().request(method);
        // Boxed, since setting a webhook is itself a method.
        let _ = Box::pin(execute(&call, method)).await;
    }
}
