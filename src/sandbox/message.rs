//! What was delivered.

use crate::domain::Sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message that the sandbox accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its number in the sandbox's log, increasing over all bots and chats.
    pub seq: u64,
    /// When it was let through, Unix time in milliseconds.
    pub at_ms: u64,
    /// The bot's id.
    pub bot: u64,
    /// The chat.
    pub chat_id: i64,
    /// Its number for Telegram.
    pub message_id: i64,
    /// The method that sent it.
    pub method: String,
    /// The caption, or the text of a message without media, after its markup was parsed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<Box<str>>,
    /// What the markup said about the caption or text.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub entities: Vec<Value>,
    /// The picture or file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media: Option<Media>,
    /// The inline keyboard.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_markup: Option<Box<Value>>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to_message_id: Option<i64>,
    /// The forum topic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_thread_id: Option<i64>,
    /// The album that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_group_id: Option<Box<str>>,
    /// Which of the options `disable_notification`, `protect_content`, `has_spoiler` and `show_caption_above_media` were
    /// set.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub options: Vec<String>,
    /// When it was last edited, Unix time in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub edited_at_ms: Option<u64>,
    /// Whether it was deleted since.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub deleted: bool,
}

impl Message {
    /// Roughly how many bytes it keeps in memory.
    pub(super) fn weight(&self) -> usize {
        let markup = self.reply_markup.as_ref().map_or(0, |markup| markup.to_string().len() * 4);
        let media = self.media.as_ref().map_or(0, |media| {
            media.url.as_ref().map_or(0, |url| url.len()) + media.file_name.as_ref().map_or(0, |name| name.len())
        });
        let caption = self.caption.as_ref().map_or(0, |caption| caption.len());
        size_of::<Self>() + caption + media + markup + self.entities.len() * 300
    }
}

/// A picture or file that was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// As what it was sent.
    pub kind: Kind,
    /// How it came.
    pub how: How,
    /// The digest of its bytes, or of its URL if it came by one: the sandbox does not fetch.
    pub sha256: Sha256,
    /// Its size; 0 if it came by URL.
    pub bytes: u64,
    /// Its width in pixels; 0 for what is not a photo.
    pub width: u16,
    /// Its height in pixels; 0 for what is not a photo.
    pub height: u16,
    /// Whether it stands for a picture at a URL, which the sandbox never had.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub elsewhere: bool,
    /// The URL by which it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<Box<str>>,
    /// The name of the uploaded file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file_name: Option<Box<str>>,
}

/// As what media are sent, which a file_id is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Shown, re-encoded.
    Photo,
    /// Kept byte for byte.
    Document,
    /// A GIF that was sent as a document.
    Animation,
}

impl Kind {
    /// Its name in Telegram's errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Photo => "Photo",
            Self::Document => "Document",
            Self::Animation => "Animation",
        }
    }

    /// Whether a file_id of the one may be sent as the other: photos only as photos, documents and animations as either.
    pub(super) fn passes_as(self, other: Self) -> bool {
        (self == Self::Photo) == (other == Self::Photo)
    }
}

/// How media came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its bytes were in the request.
    Upload,
    /// By the file_id of an earlier message: nothing was uploaded.
    FileId,
    /// By URL.
    Url,
}
