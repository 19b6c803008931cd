//! The couriers' calls to the Bot API: JSON, or multipart/form-data with a streaming upload.

use super::api_url::ApiUrl;
use crate::adapters::http_client;
use crate::adapters::upload_tracker::UploadTracker;
use crate::domain::BotName;
use crate::multipart::{EncodedForm, FormBody};
use crate::ports::{ApiReply, CallError, Messenger, MessengerRequest, MessengerResponse};
use crate::settings::Bot;
use async_trait::async_trait;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// [`Messenger`] of the bots at Telegram.
pub struct TelegramMessenger {
    client: reqwest::Client,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl TelegramMessenger {
    /// A client for these bots.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        Ok(Self { client: http_client::build(http_client::builder())?, bots })
    }
}

#[async_trait]
impl Messenger for TelegramMessenger {
    async fn call(&self, request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        let account = self.bots.get(&request.bot).and_then(|bot| bot.telegram());
        let account = account.ok_or_else(|| CallError::NotSent("the bot is not configured".into()))?;
        let uploads = UploadTracker::new(&request.files);
        let url = ApiUrl::of_method(account, &request.method);
        let call = url.request(&self.client, Method::POST).timeout(request.timeout);
        let call = match request.files.is_empty() {
            true => call.json(&request.params),
            false => {
                let EncodedForm { content_type, length, body } = form(request, &uploads);
                call.header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, length).body(Body::wrap_stream(body))
            }
        };
        let response = call.send().await.map_err(|error| uploads.call_error(error))?;
        let status = response.status().as_u16();
        let retry_after = http_client::retry_after(&response);
        let body = http_client::read_body(response).await?;
        let reply = serde_json::from_slice::<ApiReply>(&body).ok();
        if reply.is_none() && (200..300).contains(&status) {
            return Err(CallError::MaybeSent("a success whose body is not a Bot API answer".into()));
        }
        Ok(MessengerResponse { status, retry_after, reply })
    }
}

/// The call as multipart/form-data: structured values as JSON text, files with a known length (proxies prefer one), names
/// as Telegram reads them.
fn form(request: MessengerRequest, uploads: &UploadTracker) -> EncodedForm {
    let mut form = FormBody::new();
    for (name, value) in &request.params {
        match value {
            Value::String(text) => form.add_text(name, text),
            other => form.add_text(name, &other.to_string()),
        }
    }
    for file in request.files {
        let (field, filename, size) = (file.field.clone(), file.filename.clone(), file.size);
        form.add_file(&field, &filename, size, uploads.track(file));
    }
    form.finish()
}

#[cfg(test)]
#[path = "messenger_tests.rs"]
mod tests;
