//! Inline queries, how they were answered, and what was sent of the answers.

use crate::domain::Sha256;
use crate::domain::markup::Formatted;
use crate::sandbox::bounded_map::BoundedMap;
use crate::sandbox::content::parse_text;
use crate::sandbox::files::MediaFiles;
use crate::sandbox::log::{FileKind, MediaOrigin, SandboxMedia, SandboxMessage};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The results that show a file: their type, the fields of its URL and of its file_id, and its kind (Bot API).
pub const FILE_RESULTS: [(&str, &str, &str, FileKind); 8] = [
    ("photo", "photo_url", "photo_file_id", FileKind::Photo),
    ("gif", "gif_url", "gif_file_id", FileKind::Animation),
    ("mpeg4_gif", "mpeg4_url", "mpeg4_file_id", FileKind::Animation),
    ("document", "document_url", "document_file_id", FileKind::Document),
    ("video", "video_url", "video_file_id", FileKind::Video),
    ("audio", "audio_url", "audio_file_id", FileKind::Audio),
    ("voice", "voice_url", "voice_file_id", FileKind::Voice),
    ("sticker", "", "sticker_file_id", FileKind::Sticker),
];

/// How a bot answered an inline query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InlineAnswer {
    /// The results as the bot gave them.
    pub results: Vec<Value>,
    /// How long the answer may be reused, in seconds.
    pub cache_time: i64,
    /// Whether it is for this user only.
    pub is_personal: bool,
    /// Where the next page begins; empty if there is none.
    pub next_offset: String,
    /// The button above the results.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub button: Option<Value>,
}

/// The queries that were asked, by their id.
pub type InlineQueries = BoundedMap<String, InlineQuery, 10_000>;

/// A query that was asked.
pub struct InlineQuery {
    pub bot: u64,
    pub user_id: i64,
    pub answer: Option<InlineAnswer>,
}

impl InlineQuery {
    pub fn new(bot: u64, user_id: i64) -> Self {
        Self { bot, user_id, answer: None }
    }
}

/// The id by which a bot edits a message that was sent through an inline answer.
pub fn inline_message_id(number: u64) -> String {
    URL_SAFE_NO_PAD.encode([&[2; 16][..], &number.to_be_bytes()[..]].concat())
}

/// The message that is sent when the user chooses a result of the query's answer.
pub fn choose(query: &InlineQuery, result_id: &str, files: &MediaFiles, at_ms: u64) -> Result<SandboxMessage, String> {
    let answer = query.answer.as_ref().ok_or("the inline query was not answered")?;
    let result = answer.results.iter().find(|result| result["id"] == result_id).ok_or("there is no such result")?;
    let content = &result["input_message_content"];
    let (text, mode) = match content["message_text"].as_str() {
        Some(text) => (text, &content["parse_mode"]),
        None => (result["caption"].as_str().unwrap_or(""), &result["parse_mode"]),
    };
    let text = parse_text(text.as_bytes(), mode.as_str().unwrap_or(""), None).and_then(Formatted::clean);
    let mut message =
        SandboxMessage::new(query.bot, query.user_id, "answerInlineQuery").with_caption(text.unwrap_or_default());
    message.media = if content.is_object() { None } else { media(files, result) };
    message.reply_markup = result.get("reply_markup").cloned().map(Box::new);
    message.at_ms = at_ms;
    Ok(message)
}

fn media(files: &MediaFiles, result: &Value) -> Option<SandboxMedia> {
    let (_, url, file_id, kind) = FILE_RESULTS.iter().find(|row| result["type"] == row.0)?;
    match result[*url].as_str().filter(|url| !url.is_empty()) {
        Some(url) => {
            let media = SandboxMedia::new(*kind, MediaOrigin::Url, Sha256::of(url.as_bytes()), 0);
            Some(SandboxMedia { elsewhere: true, url: Some(url.into()), ..media })
        }
        None => {
            let id = files.decode(result[*file_id].as_str()?).ok()?;
            Some(files.media(&id, MediaOrigin::FileId))
        }
    }
}
