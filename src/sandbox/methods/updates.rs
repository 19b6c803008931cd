//! How a bot hears of what users do.

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::webhook::{self, Webhook};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The longest long poll, in seconds (Bot API server).
const MAX_POLL: i64 = 50;
/// The most updates at a time (Bot API).
const MAX_UPDATES: i64 = 100;
/// How soon after one webhook the next can be set, in seconds (Bot API server).
const WEBHOOKS_APART: f64 = 1.0;

const WEBHOOK_IS_SET: &str =
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
const OTHER_POLL: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
const POLL_ENDED_BY_WEBHOOK: &str = "Conflict: terminated by setWebhook request";

/// `getUpdates`.
pub(super) async fn get(call: &Call) -> Result<Value, ApiError> {
    let (arguments, state) = (&call.arguments, &call.state);
    let offset = arguments.integer("offset").unwrap_or(0);
    let limit = arguments.integer("limit").unwrap_or(MAX_UPDATES).clamp(1, MAX_UPDATES) as usize;
    let timeout = arguments.integer("timeout").unwrap_or(0).clamp(0, MAX_POLL) as u64;
    let poll = {
        let mut desk = state.desk();
        let mailbox = desk.updates.of(call.bot);
        if mailbox.webhook.is_some() {
            None
        } else {
            mailbox.allow(arguments.text("allowed_updates"));
            let (timeout, limit) = mailbox.polled(state.now(), offset, timeout, limit);
            let updates = mailbox.take(offset, limit);
            if timeout == 0 || !updates.is_empty() {
                return Ok(Value::Array(updates));
            }
            mailbox.poll += 1;
            mailbox.ended_by_webhook = false;
            mailbox.news.notify_waiters();
            Some((mailbox.news.clone(), mailbox.poll, limit, Instant::now() + Duration::from_secs(timeout)))
        }
    };
    let Some((news, turn, limit, until)) = poll else { return Err(conflict(call, WEBHOOK_IS_SET).await) };
    loop {
        let heard = news.notified();
        tokio::pin!(heard);
        // From here on no news is missed.
        heard.as_mut().enable();
        let ended = {
            let mut desk = state.desk();
            let mailbox = desk.updates.of(call.bot);
            if mailbox.poll == turn {
                let updates = mailbox.take(offset, limit);
                if !updates.is_empty() || Instant::now() >= until {
                    return Ok(Value::Array(updates));
                }
                None
            } else {
                Some(if mailbox.ended_by_webhook { POLL_ENDED_BY_WEBHOOK } else { OTHER_POLL })
            }
        };
        match ended {
            Some(why) => return Err(conflict(call, why).await),
            None => drop(tokio::time::timeout_at(until, heard).await),
        }
    }
}

/// A 409; the second within three seconds is held back.
async fn conflict(call: &Call, why: &str) -> ApiError {
    let wait = call.state.desk().updates.of(call.bot).conflict(call.state.now());
    tokio::time::sleep(Duration::from_secs_f64(wait)).await;
    ApiError::new(409, why)
}

/// `setWebhook`; without a URL it is `deleteWebhook`.
pub(super) fn set_webhook(call: &Call) -> Result<Value, ApiError> {
    let (arguments, state) = (&call.arguments, &call.state);
    let Some(url) = arguments.text("url") else { return delete_webhook(call) };
    let now = state.now();
    let mut desk = state.desk();
    let mailbox = desk.updates.of(call.bot);
    if now < mailbox.next_set_webhook {
        return Err(ApiError::flood(1));
    }
    mailbox.next_set_webhook = now + WEBHOOKS_APART;
    let secret = arguments.text("secret_token").unwrap_or("");
    if secret.len() > 256 {
        return Err(ApiError::bad("secret token is too long"));
    }
    if !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(ApiError::bad("secret token contains unallowed characters"));
    }
    let url = reqwest::Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let url = url.ok_or_else(|| ApiError::bad("bad webhook: invalid webhook URL specified"))?;
    if arguments.flag("drop_pending_updates") {
        mailbox.drop_pending();
    }
    mailbox.allow(arguments.text("allowed_updates"));
    let connections = arguments.integer("max_connections").unwrap_or(0);
    let webhook = Webhook::new(url, secret, if (1..=100).contains(&connections) { connections } else { 40 });
    if mailbox.webhook.as_ref().is_some_and(|old| old.is_same(&webhook)) {
        call.note("Webhook is already set");
        return Ok(true.into());
    }
    // Ends whoever polls, and whoever delivered to the webhook before.
    mailbox.poll += 1;
    mailbox.ended_by_webhook = true;
    mailbox.webhook = Some(webhook);
    mailbox.news.notify_waiters();
    webhook::deliver(state.clone(), call.bot, mailbox.poll);
    call.note("Webhook was set");
    Ok(true.into())
}

/// `deleteWebhook`.
pub(super) fn delete_webhook(call: &Call) -> Result<Value, ApiError> {
    let mut desk = call.state.desk();
    let mailbox = desk.updates.of(call.bot);
    if call.arguments.flag("drop_pending_updates") {
        mailbox.drop_pending();
    }
    match mailbox.webhook.take() {
        Some(_) => {
            mailbox.poll += 1;
            mailbox.news.notify_waiters();
            call.note("Webhook was deleted");
        }
        None => call.note("Webhook is already deleted"),
    }
    Ok(true.into())
}

/// `getWebhookInfo`.
pub(super) fn webhook_info(call: &Call) -> Value {
    let mut desk = call.state.desk();
    let mailbox = desk.updates.of(call.bot);
    let pending = mailbox.pending();
    let mut info = json!({"url": "", "has_custom_certificate": false, "pending_update_count": pending});
    if let Some(webhook) = &mailbox.webhook {
        info["url"] = webhook.url.as_str().into();
        if let Some((date, why)) = &webhook.last_error {
            info["last_error_date"] = (*date).into();
            info["last_error_message"] = why.as_str().into();
        }
        info["max_connections"] = webhook.max_connections.into();
        info["ip_address"] = webhook.url.host_str().unwrap_or("<unknown>").into();
    }
    if let Some(allowed) = mailbox.allowed() {
        info["allowed_updates"] = allowed.iter().map(String::as_str).collect();
    }
    info
}
