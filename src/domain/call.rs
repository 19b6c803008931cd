//! What travels: a Bot API call with its parameters as given and its media by reference, never by bytes (claim check).

use super::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A call of the Bot API. `chat_id` is not among the parameters: it belongs to the notification, since a migrated
/// chat changes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The method's name as Telegram writes it, `sendPhoto`.
    pub method: String,
    /// The parameters, passed on untouched, also those that Telegram will invent next year.
    pub params: Map<String, Value>,
    /// The media that the call names.
    pub media: Vec<Media>,
}

impl Call {
    /// How many messages the call makes, and so how many tokens it costs: an album as many as it has items.
    pub fn cost(&self) -> u32 {
        match self.method.as_str() {
            "sendMediaGroup" => u32::try_from(self.media.len().max(1)).unwrap_or(u32::MAX),
            _ => 1,
        }
    }
}

/// One medium of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// The parameter that carries it (`photo`), or the part's name behind `attach://`.
    pub field: String,
    /// What it is sent as; a file_id is good for one kind only (`bot-api.md` 2.3).
    pub kind: MediaKind,
    /// Where it comes from.
    pub source: MediaSource,
    /// The name to upload it under. Telegram reads a photo's type off its extension, so it always has a fitting one.
    pub filename: String,
}

/// Where a medium comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// Bytes that the blob store holds.
    Blob {
        /// Their digest.
        sha256: Sha256,
        /// Their number.
        size: u64,
    },
    /// An address that Telegram fetches itself.
    Url(String),
    /// A file that Telegram already has, as this bot names it.
    FileId(String),
}

/// What a medium is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// `sendPhoto`.
    Photo,
}

impl MediaKind {
    /// The name in keys and metrics, and of the parameter that carries it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photo => "photo",
        }
    }
}
