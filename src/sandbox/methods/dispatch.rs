//! Which method does what.

use super::call::SandboxCall;
use super::{album, chats, copy, edit, files, inline, plain, send, updates};
use crate::sandbox::log::FileKind;
use crate::sandbox::method_names::GRANTED;
use crate::sandbox::sandbox_error::SandboxError;
use serde_json::Value;

/// Carries out a method by its proper spelling.
pub async fn run(call: &SandboxCall, method: &'static str) -> Result<Value, SandboxError> {
    match method {
        "getMe" => Ok(chats::me(call)),
        "getUpdates" => updates::get(call).await,
        "setWebhook" => updates::set_webhook(call),
        "deleteWebhook" => updates::delete_webhook(call),
        "getWebhookInfo" => Ok(updates::webhook_info(call)),
        "setMyCommands" => chats::set_commands(call),
        "getMyCommands" => Ok(chats::commands(call)),
        "deleteMyCommands" => Ok(chats::delete_commands(call)),
        "answerInlineQuery" => inline::answer(call),
        "getChat" => chats::get(call),
        "getChatAdministrators" => chats::administrators(call),
        "getChatMember" => chats::member(call),
        "getChatMemberCount" => chats::member_count(call),
        "leaveChat" => chats::leave(call),
        "sendChatAction" => chats::action(call),
        "sendMessage" => send::text(call),
        "sendPhoto" => send::media(call, method, FileKind::Photo).await,
        "sendDocument" => send::media(call, method, FileKind::Document).await,
        "sendAnimation" => send::media(call, method, FileKind::Animation).await,
        "sendVideo" => send::media(call, method, FileKind::Video).await,
        "sendAudio" => send::media(call, method, FileKind::Audio).await,
        "sendVoice" => send::media(call, method, FileKind::Voice).await,
        "sendVideoNote" => send::media(call, method, FileKind::VideoNote).await,
        "sendSticker" => send::media(call, method, FileKind::Sticker).await,
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
        _ if GRANTED.contains(&method) => Ok(true.into()),
        _ => Err(SandboxError::new(404, "Not Found: method not found")),
    }
}
