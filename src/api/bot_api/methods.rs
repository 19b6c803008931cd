//! The methods that make, change or take away messages: they go through the queue if they name a chat. What becomes of all
//! others, [`super::call`] says.

use crate::domain::MediaKind;

/// Those known today, as Telegram spells them; in a request their case does not matter (Bot API).
const QUEUED_METHODS: [&str; 39] = [
    "sendMessage",
    "sendPhoto",
    "sendLivePhoto",
    "sendDocument",
    "sendAnimation",
    "sendVideo",
    "sendAudio",
    "sendVoice",
    "sendVideoNote",
    "sendSticker",
    "sendPaidMedia",
    "sendMediaGroup",
    "sendLocation",
    "sendVenue",
    "sendContact",
    "sendPoll",
    "sendChecklist",
    "sendDice",
    "sendInvoice",
    "sendGame",
    "sendGift",
    "sendChatAction",
    "copyMessage",
    "copyMessages",
    "forwardMessage",
    "forwardMessages",
    "editMessageText",
    "editMessageCaption",
    "editMessageMedia",
    "editMessageReplyMarkup",
    "editMessageLiveLocation",
    "editMessageChecklist",
    "stopMessageLiveLocation",
    "stopPoll",
    "pinChatMessage",
    "deleteMessage",
    "deleteMessages",
    "deleteMessageReaction",
    "deleteMessageReactions",
];

/// What future methods will begin with that belong in the queue too, in lower case.
const QUEUED_PREFIXES: [&str; 5] = ["send", "copymessage", "forwardmessage", "editmessage", "deletemessage"];

/// The exception to [`QUEUED_PREFIXES`]: the draft of a message is sent many times a second, while it is written.
const NOT_QUEUED: &str = "sendmessagedraft";

/// Those whose results may name images by digest.
const INLINE_METHODS: [&str; 3] = ["answerInlineQuery", "answerWebAppQuery", "savePreparedInlineMessage"];

/// A method's name as Telegram spells it, or as it was given if it is unknown.
pub fn canonical(name: &str) -> String {
    let known = QUEUED_METHODS.into_iter().chain(INLINE_METHODS).find(|known| known.eq_ignore_ascii_case(name));
    known.unwrap_or(name).to_owned()
}

/// Whether it is a method that goes through the queue and is known today.
pub fn is_known(name: &str) -> bool {
    QUEUED_METHODS.contains(&name)
}

/// Whether calls of this method go through the queue.
pub fn is_queued(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_known(name) || lower != NOT_QUEUED && QUEUED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

/// Whether its results may name images by digest.
pub fn is_inline(name: &str) -> bool {
    INLINE_METHODS.contains(&name)
}

/// Whether it takes a bot's updates away from the registration that reads them.
pub fn takes_updates(name: &str) -> bool {
    ["getUpdates", "setWebhook", "deleteWebhook"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a name could be a method's, and so may stand in an address.
pub fn is_name(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The parameter that carries the one file of a call, and what it is sent as.
pub fn file_parameter(name: &str) -> Option<(&'static str, MediaKind)> {
    let kind = match name {
        "sendPhoto" => MediaKind::Photo,
        "sendDocument" => MediaKind::Document,
        "sendAnimation" => MediaKind::Animation,
        "sendVideo" => MediaKind::Video,
        "sendAudio" => MediaKind::Audio,
        "sendVoice" => MediaKind::Voice,
        "sendVideoNote" => MediaKind::VideoNote,
        "sendSticker" => MediaKind::Sticker,
        _ => return None,
    };
    Some((kind.as_str(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_queued_and_everything_else_is_passed_through() {
        for name in ["SENDPHOTO", "sendmediagroup", "StopPoll", "sendHologram", "editMessageColour"] {
            assert!(is_queued(&canonical(name)), "{name}");
        }
        let passed = ["getMe", "getUpdates", "setWebhook", "deleteWebhook", "answerInlineQuery", "deleteChatPhoto"];
        for name in passed.into_iter().chain(["editForumTopic", "sendMessageDraft", "uploadStickerFile"]) {
            assert!(!is_queued(&canonical(name)), "{name}");
        }
        assert_eq!(canonical("SENDPHOTO"), "sendPhoto");
        assert_eq!(canonical("sendhologram"), "sendhologram");
    }
}
