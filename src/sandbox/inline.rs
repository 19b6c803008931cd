//! Inline queries, how they were answered, and what was sent of the answers.

use super::State;
use super::desk::Desk;
use super::entities;
use super::file_id::FileId;
use super::media::of_file_id;
use super::message::{How, Kind, Media, Message};
use crate::domain::Sha256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The results that show a file: their type, the fields of its URL and of its file_id, and its kind (Bot API).
pub(super) const FILES: [(&str, &str, &str, Kind); 8] = [
    ("photo", "photo_url", "photo_file_id", Kind::Photo),
    ("gif", "gif_url", "gif_file_id", Kind::Animation),
    ("mpeg4_gif", "mpeg4_url", "mpeg4_file_id", Kind::Animation),
    ("document", "document_url", "document_file_id", Kind::Document),
    ("video", "video_url", "video_file_id", Kind::Video),
    ("audio", "audio_url", "audio_file_id", Kind::Audio),
    ("voice", "voice_url", "voice_file_id", Kind::Voice),
    ("sticker", "", "sticker_file_id", Kind::Sticker),
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

/// A query that was asked.
pub(super) struct Query {
    pub bot: u64,
    pub user_id: i64,
    pub answer: Option<InlineAnswer>,
}

impl Query {
    pub fn new(bot: u64, user_id: i64) -> Self {
        Self { bot, user_id, answer: None }
    }
}

/// A result that a user sent.
pub(super) struct Chosen {
    pub user_id: i64,
    pub inline_message_id: String,
    pub has_keyboard: bool,
}

/// Sends a result of an answer: from then on the bot can edit it.
pub(super) fn choose(
    state: &State,
    desk: &mut Desk,
    bot: u64,
    inline_query_id: &str,
    result_id: &str,
) -> Result<Chosen, String> {
    let query = desk.inline_queries.get(&inline_query_id.to_owned()).filter(|query| query.bot == bot);
    let query = query.ok_or("there is no such inline query")?;
    let user_id = query.user_id;
    let answer = query.answer.as_ref().ok_or("the inline query was not answered")?;
    let result =
        answer.results.iter().find(|result| result["id"] == result_id).ok_or("there is no such result")?.clone();
    let mut message = Message::new(bot, user_id, "answerInlineQuery");
    let content = &result["input_message_content"];
    let (text, mode) = match content["message_text"].as_str() {
        Some(text) => (text, &content["parse_mode"]),
        None => (result["caption"].as_str().unwrap_or(""), &result["parse_mode"]),
    };
    let text = entities::parse(text, mode.as_str().unwrap_or(""), None).unwrap_or_default();
    message.caption = (!text.text.is_empty()).then(|| text.text.into());
    message.entities = text.entities;
    message.media = if content.is_object() { None } else { media(state, desk, &result) };
    message.reply_markup = result.get("reply_markup").cloned().map(Box::new);
    message.at_ms = state.unix_millis(state.now());
    let number = desk.updates.next_number();
    let inline_message_id = URL_SAFE_NO_PAD.encode([&[2; 16][..], &number.to_be_bytes()[..]].concat());
    let has_keyboard = message.reply_markup.is_some();
    desk.inline.put((bot, inline_message_id.clone()), message);
    Ok(Chosen { user_id, inline_message_id, has_keyboard })
}

fn media(state: &State, desk: &Desk, result: &Value) -> Option<Media> {
    let (_, url, file_id, kind) = FILES.iter().find(|row| result["type"] == row.0)?;
    match result[*url].as_str().filter(|url| !url.is_empty()) {
        Some(url) => {
            let media = Media::new(*kind, How::Url, Sha256::of(url.as_bytes()), 0);
            Some(Media { elsewhere: true, url: Some(url.into()), ..media })
        }
        None => {
            let id = FileId::decode(result[*file_id].as_str()?, &state.store.secret).ok()?;
            Some(of_file_id(desk, &id, How::FileId))
        }
    }
}
