//! The Bot API client. The one boundary at which tokens become URLs: no error of this module holds one.

mod proxy;

pub use proxy::TelegramProxy;

use super::http::{self, Handover};
use crate::domain::BotName;
use crate::ports::{ApiReply, CallError, Messenger, MessengerRequest, MessengerResponse};
use crate::settings::Bot;
use async_trait::async_trait;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Calls the Bot API.
pub struct Telegram {
    client: reqwest::Client,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl Telegram {
    /// A client for these bots.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        Ok(Self { client: http::client()?, bots })
    }
}

#[async_trait]
impl Messenger for Telegram {
    async fn call(&self, request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        let bot = self.bots.get(&request.bot).and_then(|bot| bot.telegram());
        let bot = bot.ok_or_else(|| CallError::NotSent("the bot is not configured".into()))?;
        let handover = Handover::new(&request.files);
        let call = self.client.post(bot.method_url(&request.method)).timeout(request.timeout);
        let call = match request.files.is_empty() {
            true => call.json(&request.params),
            false => call.multipart(form(request, &handover)?),
        };
        let response = call.send().await.map_err(|error| handover.explain(error))?;
        let status = response.status().as_u16();
        let retry_after = http::retry_after(&response);
        let body = http::read(response).await?;
        let reply = serde_json::from_slice::<ApiReply>(&body).ok();
        if reply.is_none() && (200..300).contains(&status) {
            return Err(CallError::MaybeSent("a success whose body is not a Bot API answer".into()));
        }
        Ok(MessengerResponse { status, retry_after, reply })
    }
}

/// The call as multipart/form-data: structured values as JSON text, files with a known length (proxies prefer one).
fn form(request: MessengerRequest, handover: &Handover) -> Result<Form, CallError> {
    let mut form = Form::new();
    for (name, value) in request.params {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        form = form.text(name, text);
    }
    for file in request.files {
        let (field, filename, size) = (file.field.clone(), file.filename.clone(), file.size);
        let body = reqwest::Body::wrap_stream(handover.watch(file));
        form = form.part(field, Part::stream_with_length(body, size).file_name(filename));
    }
    Ok(form)
}

#[cfg(test)]
mod tests;
