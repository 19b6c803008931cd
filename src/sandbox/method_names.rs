//! The methods that the sandbox knows, and what is to be known of a method before it is carried out.

use crate::sandbox::arguments::SandboxArguments;
use serde_json::Value;

/// The methods, separated by spaces.
const METHODS: [&str; 8] = [
    "getMe getUpdates setWebhook deleteWebhook getWebhookInfo setMyCommands getMyCommands deleteMyCommands",
    "answerInlineQuery getChat getChatAdministrators getChatMember getChatMemberCount leaveChat sendChatAction",
    "sendMessage sendPhoto sendDocument sendAnimation sendVideo sendAudio sendVoice sendVideoNote sendSticker",
    "sendMediaGroup sendLocation sendVenue sendContact sendDice",
    "copyMessage copyMessages forwardMessage forwardMessages",
    "editMessageText editMessageCaption editMessageMedia editMessageReplyMarkup deleteMessage deleteMessages",
    "getFile",
    GRANTED,
];
/// Methods that do nothing here and are always granted.
const GRANTED: &str = "answerCallbackQuery setMyName setMyDescription setMyShortDescription setChatMenuButton \
    setMyDefaultAdministratorRights setMessageReaction pinChatMessage unpinChatMessage logOut close";
/// Calls that the in-flight limits do not count (Bot API server).
const NOT_COUNTED_IN_FLIGHT: &str = "getMe getUpdates setWebhook deleteWebhook getWebhookInfo close logOut";

/// The proper spelling of a method, whose case does not matter.
pub fn canonical(method: &str) -> Option<&'static str> {
    METHODS.iter().flat_map(|names| names.split(' ')).find(|known| known.eq_ignore_ascii_case(method))
}

/// Whether the method does nothing here.
pub fn is_granted(method: &str) -> bool {
    GRANTED.split(' ').any(|known| known == method)
}

/// Whether the in-flight limits count a call of the method.
pub fn counts_in_flight(method: &str) -> bool {
    !NOT_COUNTED_IN_FLIGHT.split(' ').any(|known| known == method)
}

/// How many messages a call sends, if it is one that sends.
pub fn message_count(method: &str, arguments: &SandboxArguments) -> Option<u64> {
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
