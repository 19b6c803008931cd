//! Calls to a messenger: the Bot API, or WhatsMate's gateway.

use super::BlobStream;
use crate::domain::BotName;
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// Makes one call and reports what came back, unchanged. Keeps no rate limits and never retries: that is the courier's
/// work.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Makes the call.
    async fn call(&self, request: MessengerRequest) -> Result<MessengerResponse, CallError>;
}

/// How long to wait for the answer to a call without upload. The server may hold it for a hidden flood wait of 8 s and
/// 3 s more; a shorter wait turns slow answers into duplicates (Bot API server).
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// One call to a messenger.
pub struct MessengerRequest {
    /// Whose token to use.
    pub bot: BotName,
    /// The method's name.
    pub method: String,
    /// Its parameters, `chat_id` included.
    pub params: Map<String, Value>,
    /// The files to upload; with none the call goes as JSON.
    pub files: Vec<OutgoingFile>,
    /// How long to wait for the response, the upload included.
    pub timeout: Duration,
}

/// One file to upload.
pub struct OutgoingFile {
    /// The part's name.
    pub field: String,
    /// The part's filename.
    pub filename: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes.
    pub content: BlobStream,
}

impl fmt::Debug for OutgoingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingFile").field("field", &self.field).field("size", &self.size).finish_non_exhaustive()
    }
}

/// The HTTP response of a messenger.
#[derive(Clone, Debug)]
pub struct MessengerResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header, in seconds.
    pub retry_after: Option<u64>,
    /// The body, if it is the Bot API's JSON; a proxy between us and Telegram responds with HTML, or nothing.
    pub reply: Option<ApiReply>,
}

/// The JSON of a Bot API response.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ApiReply {
    /// Whether it succeeded.
    pub ok: bool,
    /// The result of a success.
    #[serde(default)]
    pub result: Option<Value>,
    /// The code of a failure.
    #[serde(default)]
    pub error_code: Option<u16>,
    /// Telegram's words.
    #[serde(default)]
    pub description: Option<String>,
    /// `retry_after`, `migrate_to_chat_id`.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
}

/// Why there is no response.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The request certainly did not take effect: no connection, or the body was not handed over whole.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request was sent and the response never came, or was cut off: it may have taken effect.
    #[error("no answer: {0}")]
    MaybeSent(String),
    /// The bytes to upload could not be read from the blob store.
    #[error("{0}")]
    Content(String),
}
