//! The methods. Adding one takes a line in [`METHODS`] and one in [`run`].

mod album;
mod chats;
mod copy;
mod edit;
mod files;
mod inline;
mod plain;
mod send;
mod updates;

pub(super) use files::download;

use super::call::Call;
use super::error::ApiError;
use super::message::Kind;
use serde_json::Value;

const METHODS: [&str; 40] = [
    // the bot and what it hears
    "getMe",
    "getUpdates",
    "setWebhook",
    "deleteWebhook",
    "getWebhookInfo",
    "setMyCommands",
    "getMyCommands",
    "deleteMyCommands",
    "answerInlineQuery",
    // chats
    "getChat",
    "getChatAdministrators",
    "getChatMember",
    "getChatMemberCount",
    "leaveChat",
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

/// Methods that do nothing here and are always granted.
const GRANTED: [&str; 11] = [
    "answerCallbackQuery",
    "setMyName",
    "setMyDescription",
    "setMyShortDescription",
    "setChatMenuButton",
    "setMyDefaultAdministratorRights",
    "setMessageReaction",
    "pinChatMessage",
    "unpinChatMessage",
    "logOut",
    "close",
];

/// The proper spelling of a method, whose case does not matter.
pub(super) fn canonical(method: &str) -> Option<&'static str> {
    METHODS.into_iter().chain(GRANTED).find(|known| known.eq_ignore_ascii_case(method))
}

/// Carries out a method by its proper spelling.
pub(super) async fn run(call: &Call, method: &'static str) -> Result<Value, ApiError> {
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
        _ if GRANTED.contains(&method) => Ok(true.into()),
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
    let id = super::chats::id(text).ok_or_else(|| ApiError::bad("chat not found"))?;
    let desk = call.state.desk();
    if let Some(to) = desk.migrations.get(&id) {
        return Err(ApiError::migrated(*to));
    }
    match desk.chats.rejection(call.bot, id).filter(|_| speaking) {
        Some(rejection) => Err(rejection),
        None => Ok(id),
    }
}
