//! `getUpdates` with long polling, and setting webhooks.

use super::call::SandboxCall;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use crate::sandbox::updates::Webhook;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The longest long poll (Bot API server).
const MAX_POLL_SECONDS: i64 = 50;
/// The most updates at a time (Bot API).
const MAX_UPDATES: i64 = 100;
/// How soon after one webhook the next can be set (Bot API server).
const MIN_WEBHOOK_INTERVAL_SECONDS: f64 = 1.0;

const WEBHOOK_IS_SET: &str =
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
const OTHER_POLL: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
const POLL_ENDED_BY_WEBHOOK: &str = "Conflict: terminated by setWebhook request";

pub async fn get_updates(call: &SandboxCall) -> ApiResult<Value> {
    let (arguments, state) = (&call.arguments, &call.state);
    let offset = arguments.integer("offset").unwrap_or(0);
    let limit = arguments.integer("limit").unwrap_or(MAX_UPDATES).clamp(1, MAX_UPDATES) as usize;
    let timeout = arguments.integer("timeout").unwrap_or(0).clamp(0, MAX_POLL_SECONDS) as u64;
    let poll = {
        let mut updates = state.updates.lock();
        let queue = updates.of(call.bot);
        if queue.webhook.is_some() {
            None
        } else {
            queue.allow(arguments.text("allowed_updates"));
            let (timeout, limit) = queue.polled(state.clock.now(), offset, timeout, limit);
            let updates = queue.take(offset, limit);
            if timeout == 0 || !updates.is_empty() {
                return Ok(Value::Array(updates));
            }
            let turn = queue.supersede();
            queue.ended_by_webhook = false;
            Some((queue.changed.clone(), turn, limit, Instant::now() + Duration::from_secs(timeout)))
        }
    };
    let Some((changed, turn, limit, until)) = poll else { return Err(conflict(call, WEBHOOK_IS_SET).await) };
    loop {
        let notified = changed.notified();
        tokio::pin!(notified);
        // From here on no change is missed.
        notified.as_mut().enable();
        let ended = {
            let mut updates = state.updates.lock();
            let queue = updates.of(call.bot);
            if queue.consumer == turn {
                let updates = queue.take(offset, limit);
                if !updates.is_empty() || Instant::now() >= until {
                    return Ok(Value::Array(updates));
                }
                None
            } else {
                Some(if queue.ended_by_webhook { POLL_ENDED_BY_WEBHOOK } else { OTHER_POLL })
            }
        };
        match ended {
            Some(why) => return Err(conflict(call, why).await),
            None => drop(tokio::time::timeout_at(until, notified).await),
        }
    }
}

/// A 409; the second within three seconds is held back.
async fn conflict(call: &SandboxCall, why: &str) -> SandboxError {
    let wait = call.state.updates.lock().of(call.bot).conflict_delay(call.state.clock.now());
    tokio::time::sleep(Duration::from_secs_f64(wait)).await;
    SandboxError::new(409, why)
}

/// `setWebhook`; without a URL it is `deleteWebhook`.
pub fn set_webhook(call: &SandboxCall) -> ApiResult<Value> {
    let (arguments, state) = (&call.arguments, &call.state);
    let Some(url) = arguments.text("url") else { return delete_webhook(call) };
    let now = state.clock.now();
    let mut updates = state.updates.lock();
    let queue = updates.of(call.bot);
    if now < queue.next_set_webhook {
        return Err(SandboxError::flood(1));
    }
    queue.next_set_webhook = now + MIN_WEBHOOK_INTERVAL_SECONDS;
    let secret = arguments.text("secret_token").unwrap_or("");
    if secret.len() > 256 {
        return Err(SandboxError::bad("secret token is too long"));
    }
    if !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(SandboxError::bad("secret token contains unallowed characters"));
    }
    let url = reqwest::Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let url = url.ok_or_else(|| SandboxError::bad("bad webhook: invalid webhook URL specified"))?;
    if arguments.flag("drop_pending_updates") {
        queue.drop_pending();
    }
    queue.allow(arguments.text("allowed_updates"));
    let connections = arguments.integer("max_connections").unwrap_or(0);
    let webhook = Webhook::new(url, secret, if (1..=100).contains(&connections) { connections } else { 40 });
    if queue.webhook.as_ref().is_some_and(|old| old.is_same(&webhook)) {
        call.note("Webhook is already set");
        return Ok(true.into());
    }
    // Ends whoever polls, and whoever delivered to the webhook before.
    queue.ended_by_webhook = true;
    queue.webhook = Some(webhook);
    call.webhook_turn.set(Some(queue.supersede()));
    call.note("Webhook was set");
    Ok(true.into())
}

pub fn delete_webhook(call: &SandboxCall) -> ApiResult<Value> {
    let mut updates = call.state.updates.lock();
    let queue = updates.of(call.bot);
    if call.arguments.flag("drop_pending_updates") {
        queue.drop_pending();
    }
    match queue.webhook.take() {
        Some(_) => {
            queue.supersede();
            call.note("Webhook was deleted");
        }
        None => call.note("Webhook is already deleted"),
    }
    Ok(true.into())
}

pub fn get_webhook_info(call: &SandboxCall) -> Value {
    let mut updates = call.state.updates.lock();
    let queue = updates.of(call.bot);
    let pending = queue.pending();
    let mut info = json!({"url": "", "has_custom_certificate": false, "pending_update_count": pending});
    if let Some(webhook) = &queue.webhook {
        info["url"] = webhook.url.as_str().into();
        if let Some((date, why)) = &webhook.last_error {
            info["last_error_date"] = (*date).into();
            info["last_error_message"] = why.as_str().into();
        }
        info["max_connections"] = webhook.max_connections.into();
        info["ip_address"] = webhook.url.host_str().unwrap_or("<unknown>").into();
    }
    if let Some(allowed) = queue.allowed() {
        info["allowed_updates"] = allowed.iter().map(String::as_str).collect();
    }
    info
}
