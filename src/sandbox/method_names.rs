//! The methods that the sandbox knows, and what is to be known of a method before it is carried out.

use crate::sandbox::arguments::CallArguments;
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
pub const GRANTED: [&str; 11] = [
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

/// Calls that the in-flight limits do not count (Bot API server).
const NOT_COUNTED: [&str; 7] =
    ["getMe", "getUpdates", "setWebhook", "deleteWebhook", "getWebhookInfo", "close", "logOut"];

/// The proper spelling of a method, whose case does not matter.
pub fn canonical(method: &str) -> Option<&'static str> {
    METHODS.into_iter().chain(GRANTED).find(|known| known.eq_ignore_ascii_case(method))
}

/// Whether the in-flight limits count a call of the method.
pub fn counts_in_flight(method: &str) -> bool {
    !NOT_COUNTED.contains(&method)
}

/// How many messages a call sends, if it is one that sends.
pub fn message_count(method: &str, arguments: &CallArguments) -> Option<u64> {
    let items = |name| match serde_json::from_str(arguments.text(name)?) {
        Ok(Value::Array(items)) => Some(items.len() as u64),
        _ => None,
    };
    match method {
        "sendMediaGroup" => items("media"),
        "copyMessages" | "forwardMessages" => items("message_ids"),
        "sendChatAction" => None,
        "copyMessage" | "forwardMessage" => Some(1),
        _ => method.starts_with("send").then_some(1),
    }
}
