//! WhatsMate's Telegram gateway as a way out: the calls that have a counterpart there, its answers in the Bot API's
//! words, which is what couriers understand.

mod answer;
mod encode;

use super::http::{self, Handover};
use crate::domain::whatsmate::{self, FILENAME_LIMIT, WhatsMateKind, WhatsMateRejection};
use crate::domain::{Address, BotName, ChatId};
use crate::ports::{CallError, Messenger, MessengerRequest, MessengerResponse};
use crate::settings::Bot;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Files under way at a time. Couriers bound what they upload by its file_ids, and there are none here.
const CONCURRENT: usize = 16;

/// Calls the gateway.
pub struct WhatsMate {
    client: reqwest::Client,
    uploads: Semaphore,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl WhatsMate {
    /// A client for these bots.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        Ok(Self { client: http::client()?, uploads: Semaphore::new(CONCURRENT), bots })
    }
}

#[async_trait]
impl Messenger for WhatsMate {
    async fn call(&self, mut request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        let account = self.bots.get(&request.bot).and_then(|bot| bot.whatsmate());
        let account = account.ok_or_else(|| CallError::NotSent("the bot is not configured".into()))?;
        let kind = match check(&request) {
            Ok(kind) => kind,
            Err(rejection) => return Ok(answer::refused(400, rejection.detail)),
        };
        let chat = chat(&request.params);
        let Some(address) = chat.and_then(|chat| account.address(&chat)) else {
            let words = "the chat is neither a phone number nor a group that the bot's settings name";
            return Ok(answer::refused(answer::RECIPIENT, words));
        };
        let (to, mut fields) = addressed(address);
        let url = format!("{}/v3/telegram/{to}/{}/message/{}", account.url, kind.as_str(), account.instance);
        let call = self
            .client
            .post(url)
            .timeout(request.timeout)
            .header("X-WM-CLIENT-ID", &account.client_id)
            .header("X-WM-CLIENT-SECRET", account.client_secret.expose_secret())
            .header(CONTENT_TYPE, "application/json");
        let name = if kind == WhatsMateKind::Text { "text" } else { "caption" };
        if let Some(text) = request.params.remove(name) {
            fields.insert(if kind == WhatsMateKind::Text { "message" } else { name }.to_owned(), text);
        }
        let _permit = match request.files.is_empty() {
            true => None,
            false => self.uploads.acquire().await.ok(),
        };
        let handover = Handover::new(&request.files);
        let call = match request.files.pop() {
            None => call.body(Value::Object(fields).to_string()),
            Some(file) => {
                if kind.has_filename() {
                    fields.insert("filename".to_owned(), filename(&file.filename).into());
                }
                // The file comes last, so that what stands around it is known, and with it the length of the whole.
                let mut head = Value::Object(fields).to_string();
                head.pop();
                head.push_str(&format!(",\"{}\":\"", kind.as_str()));
                let length = head.len() as u64 + whatsmate::encoded_size(file.size) + TAIL.len() as u64;
                let whole = stream::iter([Ok::<_, io::Error>(Bytes::from(head))])
                    .chain(encode::encoded(handover.watch(file)))
                    .chain(stream::iter([Ok(Bytes::from_static(TAIL))]));
                call.header(CONTENT_LENGTH, length).body(reqwest::Body::wrap_stream(whole))
            }
        };
        let response = call.send().await.map_err(|error| handover.explain(error))?;
        let (status, retry_after) = (response.status().as_u16(), http::retry_after(&response));
        answer::read(status, retry_after, &http::read(response).await?)
    }
}

/// What follows the file.
const TAIL: &[u8] = b"\"}";

/// What was accepted fits, unless the bot became one of WhatsMate's since.
fn check(request: &MessengerRequest) -> Result<WhatsMateKind, WhatsMateRejection> {
    let kind = whatsmate::check_params(&request.method, &request.params)?;
    let rejection = |detail: &str| WhatsMateRejection { field: request.method.clone(), detail: detail.to_owned() };
    match (kind, request.files.as_slice()) {
        (WhatsMateKind::Text, []) if request.params.contains_key("text") => Ok(kind),
        (WhatsMateKind::Text, _) => Err(rejection("WhatsMate takes a text with sendMessage, and no file.")),
        (_, [file]) => whatsmate::check_size(kind, file.size).map(|()| kind),
        _ => Err(rejection("WhatsMate takes one file by its bytes, not by URL or file_id.")),
    }
}

fn chat(params: &Map<String, Value>) -> Option<ChatId> {
    match params.get("chat_id")? {
        Value::String(name) => Some(ChatId::Username(name.clone())),
        number => number.as_i64().map(ChatId::Id),
    }
}

/// The word in the path and the fields that name a recipient.
fn addressed(address: Address) -> (&'static str, Map<String, Value>) {
    let (to, fields) = match address {
        Address::Number(number) => ("single", vec![("number", String::from(number))]),
        Address::Group { name, admin } => {
            ("group", vec![("group_name", name.as_str().to_owned()), ("group_admin", String::from(admin))])
        }
    };
    (to, fields.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect())
}

/// A name that it takes: without special characters, and so short that the extension stays.
fn filename(given: &str) -> String {
    let name = whatsmate::filename(given).unwrap_or_else(|| "file".to_owned());
    let too_many = name.chars().count().saturating_sub(FILENAME_LIMIT);
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if name[dot..].chars().count() <= 16 => name.split_at(dot),
        _ => (name.as_str(), ""),
    };
    let kept = stem.chars().count().saturating_sub(too_many);
    stem.chars().take(kept).chain(extension.chars()).collect()
}

#[cfg(test)]
mod tests;
