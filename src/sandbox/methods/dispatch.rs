//! Which method does what.

use super::call::SandboxCall;
use super::{album, chats, copy, edit, files, inline, plain, send, updates};
use crate::sandbox::log::FileKind;
use crate::sandbox::method_names::is_granted;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::Value;

/// Carries out a method by its proper spelling.
pub async fn run(call: &SandboxCall, method: &'static str) -> ApiResult<Value> {
    match method {
        "getMe" => Ok(chats::get_me(call)),
        "getUpdates" => updates::get_updates(call).await,
        "setWebhook" => updates::set_webhook(call),
        "deleteWebhook" => updates::delete_webhook(call),
        "getWebhookInfo" => Ok(updates::get_webhook_info(call)),
        "setMyCommands" => chats::set_my_commands(call),
        "getMyCommands" => Ok(chats::get_my_commands(call)),
        "deleteMyCommands" => Ok(chats::delete_my_commands(call)),
        "answerInlineQuery" => inline::answer_inline_query(call),
        "getChat" => chats::get_chat(call),
        "getChatAdministrators" => chats::get_chat_administrators(call),
        "getChatMember" => chats::get_chat_member(call),
        "getChatMemberCount" => chats::get_chat_member_count(call),
        "leaveChat" => chats::leave_chat(call),
        "sendChatAction" => chats::send_chat_action(call),
        "sendMessage" => send::send_message(call),
        "sendPhoto" => send::send_media(call, method, FileKind::Photo).await,
        "sendDocument" => send::send_media(call, method, FileKind::Document).await,
        "sendAnimation" => send::send_media(call, method, FileKind::Animation).await,
        "sendVideo" => send::send_media(call, method, FileKind::Video).await,
        "sendAudio" => send::send_media(call, method, FileKind::Audio).await,
        "sendVoice" => send::send_media(call, method, FileKind::Voice).await,
        "sendVideoNote" => send::send_media(call, method, FileKind::VideoNote).await,
        "sendSticker" => send::send_media(call, method, FileKind::Sticker).await,
        "sendMediaGroup" => album::send_media_group(call).await,
        "sendLocation" => plain::send_location(call),
        "sendVenue" => plain::send_venue(call),
        "sendContact" => plain::send_contact(call),
        "sendDice" => plain::send_dice(call),
        "copyMessage" => copy::copy_message(call),
        "forwardMessage" => copy::forward_message(call),
        "copyMessages" | "forwardMessages" => copy::copy_messages(call, method),
        "editMessageText" => edit::edit_message_text(call),
        "editMessageCaption" => edit::edit_message_caption(call),
        "editMessageMedia" => edit::edit_message_media(call).await,
        "editMessageReplyMarkup" => edit::edit_message_reply_markup(call),
        "deleteMessage" => edit::delete_message(call),
        "deleteMessages" => edit::delete_messages(call),
        "getFile" => files::get_file(call),
        _ if is_granted(method) => Ok(true.into()),
        _ => Err(SandboxError::new(404, "Not Found: method not found")),
    }
}
