//! The methods. Adding one takes a line in [`METHODS`] and one in [`run`].

mod album;
mod copy;
mod edit;
mod files;
mod plain;
mod send;

pub(super) use files::download;

use super::call::Call;
use super::chats;
use super::error::ApiError;
use super::message::Kind;
use serde_json::{Value, json};
use std::time::Duration;

const METHODS: [&str; 31] = [
    // the bot and its updates
    "getMe",
    "getUpdates",
    "deleteWebhook",
    "getWebhookInfo",
    // chats
    "getChat",
    "sendChatAction",
    // sending
    "sendMessage",
    "sendPhoto",
    "sendDocument",
    "sendAnimation",
    "sendVideo",
    "sendAudio",
    "sendVoice",
    "sendVideoNote",
    "sendSticker",
    "sendMediaGroup",
    "sendLocation",
    "sendVenue",
    "sendContact",
    "sendDice",
    "copyMessage",
    "copyMessages",
    "forwardMessage",
    "forwardMessages",
    // changing
    "editMessageText",
    "editMessageCaption",
    "editMessageMedia",
    "editMessageReplyMarkup",
    "deleteMessage",
    "deleteMessages",
    // files
    "getFile",
];

/// The longest long poll (Bot API server).
const MAX_POLL: u64 = 50;

const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

/// The proper spelling of a method, whose case does not matter.
pub(super) fn canonical(method: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method))
}

/// Carries out a method by its proper spelling.
pub(super) async fn run(call: &Call, method: &'static str) -> Result<Value, ApiError> {
    match method {
        "getMe" => Ok(me(call)),
        "getUpdates" => updates(call).await,
        "deleteWebhook" => Ok(true.into()),
        "getWebhookInfo" => Ok(json!({"url": "", "has_custom_certificate": false, "pending_update_count": 0})),
        "getChat" => chat(call, true).map(chats::json),
        "sendChatAction" => action(call),
        "sendMessage" => send::text(call).await,
        "sendPhoto" => send::media(call, method, Kind::Photo).await,
        "sendDocument" => send::media(call, method, Kind::Document).await,
        "sendAnimation" => send::media(call, method, Kind::Animation).await,
        "sendVideo" => send::media(call, method, Kind::Video).await,
        "sendAudio" => send::media(call, method, Kind::Audio).await,
        "sendVoice" => send::media(call, method, Kind::Voice).await,
        "sendVideoNote" => send::media(call, method, Kind::VideoNote).await,
        "sendSticker" => send::media(call, method, Kind::Sticker).await,
        "sendMediaGroup" => album::send(call).await,
        "sendLocation" => plain::location(call),
        "sendVenue" => plain::venue(call),
        "sendContact" => plain::contact(call),
        "sendDice" => plain::dice(call),
        "copyMessage" => copy::copy(call),
        "forwardMessage" => copy::forward(call),
        "copyMessages" | "forwardMessages" => copy::many(call, method),
        "editMessageText" => edit::text(call),
        "editMessageCaption" => edit::caption(call),
        "editMessageMedia" => edit::media(call).await,
        "editMessageReplyMarkup" => edit::reply_markup(call),
        "deleteMessage" => edit::delete(call),
        "deleteMessages" => edit::delete_many(call),
        "getFile" => files::get(call),
        _ => Err(ApiError::new(404, "Not Found: method not found")),
    }
}

/// The chat that a call is about; with `speaking` the special chats refuse.
fn chat(call: &Call, speaking: bool) -> Result<i64, ApiError> {
    let text = call.arguments.text("chat_id").ok_or_else(|| ApiError::bad("chat_id is empty"))?;
    chat_named(call, text, speaking)
}

/// The chat of this id or username.
fn chat_named(call: &Call, text: &str, speaking: bool) -> Result<i64, ApiError> {
    let id = chats::id(text).ok_or_else(|| ApiError::bad("chat not found"))?;
    if let Some(to) = call.state.desk().migrations.get(&id) {
        return Err(ApiError::migrated(*to));
    }
    match chats::refusal(id).filter(|_| speaking) {
        Some(refusal) => Err(refusal),
        None => Ok(id),
    }
}

fn me(call: &Call) -> Value {
    let mut me = chats::bot_json(call.bot);
    for (name, able) in [
        ("can_join_groups", true),
        ("can_read_all_group_messages", false),
        ("supports_inline_queries", false),
        ("can_connect_to_business", false),
        ("has_main_web_app", false),
    ] {
        me[name] = able.into();
    }
    me
}

/// Nobody ever writes to a bot of the sandbox.
async fn updates(call: &Call) -> Result<Value, ApiError> {
    let timeout = call.arguments.integer("timeout").unwrap_or(0).clamp(0, MAX_POLL as i64);
    tokio::time::sleep(Duration::from_secs(timeout as u64)).await;
    Ok(json!([]))
}

fn action(call: &Call) -> Result<Value, ApiError> {
    let action = call.arguments.text("action").unwrap_or("").to_ascii_lowercase();
    if !ACTIONS.contains(&action.as_str()) {
        return Err(ApiError::bad("wrong parameter action in request"));
    }
    chat(call, true).map(|_| true.into())
}
