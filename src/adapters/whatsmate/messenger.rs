//! The couriers' calls to WhatsMate's gateway.

use super::request;
use super::response::{self, RECIPIENT_ERROR_CODE};
use crate::adapters::http_client;
use crate::adapters::upload_tracker::UploadTracker;
use crate::domain::whatsmate::{self, WhatsMateKind, WhatsMateRejection};
use crate::domain::{BotName, ChatId};
use crate::ports::{CallError, Messenger, MessengerRequest, MessengerResponse};
use crate::settings::Bot;
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Uploads at the same time. Couriers bound uploads to Telegram by their file_ids (single flight); there are none here.
const MAX_CONCURRENT_UPLOADS: usize = 16;

/// [`Messenger`] of the bots at WhatsMate.
pub struct WhatsMateMessenger {
    client: reqwest::Client,
    upload_permits: Semaphore,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl WhatsMateMessenger {
    /// A client for these bots.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        let client = http_client::build(http_client::builder())?;
        Ok(Self { client, upload_permits: Semaphore::new(MAX_CONCURRENT_UPLOADS), bots })
    }
}

#[async_trait]
impl Messenger for WhatsMateMessenger {
    async fn call(&self, mut request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        let account = self.bots.get(&request.bot).and_then(|bot| bot.whatsmate());
        let account = account.ok_or_else(|| CallError::NotSent("the bot is not configured".into()))?;
        let kind = match check(&request) {
            Ok(kind) => kind,
            Err(wrong) => return Ok(response::rejection(400, wrong.detail)),
        };
        let Some(address) = chat(&request.params).and_then(|chat| account.address(&chat)) else {
            let words = "the chat is neither a phone number nor a group that the bot's settings name";
            return Ok(response::rejection(RECIPIENT_ERROR_CODE, words));
        };
        let call = request::begin(&self.client, account, &address, kind).timeout(request.timeout);
        let fields = request::fields(address, kind, &mut request.params);
        let _permit = match request.files.is_empty() {
            true => None,
            false => self.upload_permits.acquire().await.ok(),
        };
        let uploads = UploadTracker::new(&request.files);
        let call = match request.files.pop() {
            None => call.body(Value::Object(fields).to_string()),
            Some(file) => request::with_file(call, fields, kind, file, &uploads),
        };
        let answer = call.send().await.map_err(|error| uploads.call_error(error))?;
        let (status, retry_after) = (answer.status().as_u16(), http_client::retry_after(&answer));
        response::read(status, retry_after, &http_client::read_body(answer).await?)
    }
}

/// What was accepted passes, unless the bot was moved to WhatsMate since.
fn check(request: &MessengerRequest) -> Result<WhatsMateKind, WhatsMateRejection> {
    let kind = whatsmate::check_params(&request.method, &request.params)?;
    let wrong = |detail: &str| WhatsMateRejection { field: request.method.clone(), detail: detail.to_owned() };
    match (kind, request.files.as_slice()) {
        (WhatsMateKind::Text, []) if request.params.contains_key("text") => Ok(kind),
        (WhatsMateKind::Text, _) => Err(wrong("WhatsMate takes a text with sendMessage, and no file.")),
        (_, [file]) => whatsmate::check_size(kind, file.size).map(|()| kind),
        _ => Err(wrong("WhatsMate takes one file by its bytes, not by URL or file_id.")),
    }
}

fn chat(params: &Map<String, Value>) -> Option<ChatId> {
    match params.get("chat_id")? {
        Value::String(name) => Some(ChatId::Username(name.clone())),
        number => number.as_i64().map(ChatId::Id),
    }
}

#[cfg(test)]
#[path = "messenger_tests.rs"]
mod tests;
