//! A message that was delivered, and its picture or file.

use super::file_kind::FileKind;
use crate::domain::Sha256;
use crate::domain::markup::Formatted;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A message that the sandbox accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SandboxMessage {
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
    pub media: Option<SandboxMedia>,
    /// What else it shows, in the Bot API's words: `location`, `venue`, `contact` or `dice`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content: Option<Box<Map<String, Value>>>,
    /// Where it was forwarded from, as `forward_origin` says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forward_origin: Option<Box<Value>>,
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
    /// Which of the options `disable_notification`, `protect_content`, `allow_paid_broadcast`, `has_spoiler` and
    /// `show_caption_above_media` were set.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub options: Vec<String>,
    /// When it was last edited, Unix time in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub edited_at_ms: Option<u64>,
    /// Whether it was deleted since.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub deleted: bool,
}

impl SandboxMessage {
    /// A message without content.
    pub(crate) fn new(bot: u64, chat_id: i64, method: &str) -> Self {
        Self { bot, chat_id, method: method.to_owned(), ..Self::default() }
    }

    /// The same message with this caption, or text where it has no media.
    pub(crate) fn with_caption(mut self, caption: Formatted) -> Self {
        self.caption = (!caption.text.is_empty()).then(|| caption.text.into());
        self.entities = caption.entities;
        self
    }

    /// Roughly how many bytes it keeps in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let markup = self.reply_markup.as_ref().map_or(0, |markup| markup.to_string().len() * 4);
        let media = self.media.as_ref().map_or(0, SandboxMedia::memory_bytes);
        let extras = usize::from(self.content.is_some()) + usize::from(self.forward_origin.is_some());
        let caption = self.caption.as_ref().map_or(0, |caption| caption.len());
        size_of::<Self>() + caption + media + markup + (self.entities.len() + extras * 2) * 300
    }
}

/// A picture or file that was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SandboxMedia {
    /// As what it was sent.
    pub kind: FileKind,
    /// How it came.
    pub how: MediaOrigin,
    /// The digest of its bytes, or of its URL if it came by one: the sandbox does not fetch.
    pub sha256: Sha256,
    /// Its size; 0 if it came by URL.
    pub bytes: u64,
    /// Its width in pixels; 0 if it has none or nobody said.
    pub width: u16,
    /// Its height in pixels; 0 if it has none or nobody said.
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
    /// How long it plays, in seconds, if its sender said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration: Option<u32>,
    /// The title of music.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<Box<str>>,
    /// The performer of music.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub performer: Option<Box<str>>,
    /// The small picture that came with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thumbnail: Option<Box<SandboxThumbnail>>,
}

impl SandboxMedia {
    /// A hash of what its sender said of it, which its file_id keeps: the same bytes under another name are another file.
    pub(crate) fn details_hash(&self) -> u32 {
        if self.kind == FileKind::Photo {
            return 0;
        }
        let thumbnail = self.thumbnail.as_ref().map(|thumbnail| thumbnail.sha256.to_string());
        let details = format!("{:?}", (&self.file_name, self.duration, &self.title, &self.performer, thumbnail));
        let digest = Sha256::of(details.as_bytes());
        u32::from_be_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
    }

    /// Media of which nothing else is known.
    pub(crate) fn new(kind: FileKind, how: MediaOrigin, sha256: Sha256, bytes: u64) -> Self {
        Self {
            kind,
            how,
            sha256,
            bytes,
            width: 0,
            height: 0,
            elsewhere: false,
            url: None,
            file_name: None,
            duration: None,
            title: None,
            performer: None,
            thumbnail: None,
        }
    }

    /// Roughly how many bytes it keeps in memory beside itself.
    fn memory_bytes(&self) -> usize {
        let texts = [&self.url, &self.file_name, &self.title, &self.performer];
        texts.into_iter().flatten().map(|text| text.len()).sum::<usize>() + size_of::<SandboxThumbnail>()
    }
}

/// The small picture of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SandboxThumbnail {
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its size.
    pub bytes: u64,
    /// Its width in pixels.
    pub width: u16,
    /// Its height in pixels.
    pub height: u16,
}

/// How media came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaOrigin {
    /// Its bytes were in the request.
    Upload,
    /// By the file_id of an earlier message: nothing was uploaded.
    FileId,
    /// By URL.
    Url,
}
