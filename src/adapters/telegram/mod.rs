//! The Bot API client. The one boundary at which tokens become URLs: no error of this module holds one.

mod passage;

pub use passage::TelegramPassage;

use crate::domain::BotName;
use crate::ports::{Answer, ApiReply, CallError, Messenger, OutgoingFile, Request};
use crate::settings::Bot;
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Answers are a message or an error; a longer body is not one.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Calls the Bot API over HTTP/1.1 (local servers refuse HTTP/2), with connections kept open.
pub struct Telegram {
    client: reqwest::Client,
    bots: BTreeMap<BotName, Arc<Bot>>,
}

impl Telegram {
    /// A client for these bots.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("pixcourier/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(reqwest::Error::without_url)?;
        Ok(Self { client, bots })
    }
}

#[async_trait]
impl Messenger for Telegram {
    async fn call(&self, request: Request) -> Result<Answer, CallError> {
        let bot = self.bots.get(&request.bot).ok_or_else(|| CallError::NotSent("the bot is not configured".into()))?;
        let handover = Handover::new(&request.files);
        let call = self.client.post(bot.method_url(&request.method)).timeout(request.timeout);
        let call = match request.files.is_empty() {
            true => call.json(&request.params),
            false => call.multipart(form(request, &handover)?),
        };
        let response = call.send().await.map_err(|error| handover.explain(error))?;
        let status = response.status().as_u16();
        let header = response.headers().get(reqwest::header::RETRY_AFTER);
        let retry_after = header.and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
        let body = read(response).await?;
        let reply = serde_json::from_slice::<ApiReply>(&body).ok();
        if reply.is_none() && (200..300).contains(&status) {
            return Err(CallError::MaybeSent("a success whose body is not a Bot API answer".into()));
        }
        Ok(Answer { status, retry_after, reply })
    }
}

/// Reads the body, up to the limit.
async fn read(response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| CallError::MaybeSent(words(error)))?;
        if body.len() + piece.len() > LONGEST_ANSWER {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The call as multipart/form-data: structured values as JSON text, files with a known length (proxies prefer one).
fn form(request: Request, handover: &Handover) -> Result<Form, CallError> {
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

/// Whether the files have been handed over whole: before that a server cannot have acted on the request.
struct Handover {
    open: Arc<AtomicUsize>,
    fault: Arc<Mutex<Option<String>>>,
    files: usize,
}

impl Handover {
    fn new(files: &[OutgoingFile]) -> Self {
        let open = Arc::new(AtomicUsize::new(files.len()));
        Self { open, fault: Arc::default(), files: files.len() }
    }

    /// The file's bytes, noting their end and any fault of their source.
    fn watch(
        &self,
        file: OutgoingFile,
    ) -> impl futures_util::Stream<Item = Result<bytes::Bytes, std::io::Error>> + Send + 'static {
        let (open, fault) = (Arc::clone(&self.open), Arc::clone(&self.fault));
        let mut left = file.size;
        if left == 0 {
            open.fetch_sub(1, Ordering::SeqCst);
        }
        file.content.map(move |piece| match piece {
            Ok(piece) => {
                let before = left;
                left = left.saturating_sub(piece.len() as u64);
                if before > 0 && left == 0 {
                    open.fetch_sub(1, Ordering::SeqCst);
                }
                Ok(piece)
            }
            Err(error) => {
                *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                Err(std::io::Error::other("the image could not be read"))
            }
        })
    }

    fn explain(&self, error: reqwest::Error) -> CallError {
        if let Some(fault) = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return CallError::Content(fault);
        }
        let unfinished = self.files > 0 && self.open.load(Ordering::SeqCst) > 0;
        if error.is_connect() || error.is_builder() || unfinished {
            return CallError::NotSent(words(error));
        }
        CallError::MaybeSent(words(error))
    }
}

/// An error's words with its causes, without the URL: that holds the token.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
