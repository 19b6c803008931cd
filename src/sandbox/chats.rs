//! Who can be written to. Every positive id is a user who has started the bot, every negative one a group or supergroup
//! that it is in, every `@username` a channel; except these, in whose place any failure can be tried:
//!
//! | chat id | answer |
//! |---|---|
//! | 9000000400 | 400 `chat not found` |
//! | 9000000403 | 403 `bot was blocked by the user` |
//! | 9000000404 | 403 `bot can't initiate conversation with a user` |
//! | 9000000410 | 403 `user is deactivated` |
//! | -9000000400 | 400 `chat not found` |
//! | -9000000403 | 403 `bot was kicked from the group chat` |
//! | -9000000405 | 400 `not enough rights to send photos to the chat` |
//! | -9000000301 | 400, upgraded to the supergroup -1009000000301 |

use super::error::ApiError;
use serde_json::{Value, json};
use sha2::Digest;

/// Ids from here down are supergroups and channels.
const SUPERGROUPS: i64 = -1_000_000_000_000;
/// Channels with a username get ids from here down.
const CHANNELS: i64 = -1_900_000_000_000;
/// Ids have at most 52 significant bits.
const MAX_ID: u64 = 1 << 52;

/// The id that an argument means, if any.
pub(super) fn id(text: &str) -> Option<i64> {
    match text.strip_prefix('@') {
        Some(name) => {
            let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let good = (5..=32).contains(&name.len()) && fits && name.as_bytes()[0].is_ascii_alphabetic();
            let digest = sha2::Sha256::digest(name.to_ascii_lowercase());
            good.then(|| CHANNELS - i64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])))
        }
        None => text.trim().parse().ok().filter(|id: &i64| *id != 0 && id.unsigned_abs() <= MAX_ID),
    }
}

/// What the special chats answer to a message.
pub(super) fn refusal(id: i64) -> Option<ApiError> {
    Some(match id {
        9_000_000_400 | -9_000_000_400 => ApiError::bad("chat not found"),
        9_000_000_403 => ApiError::forbidden("bot was blocked by the user"),
        9_000_000_404 => ApiError::forbidden("bot can't initiate conversation with a user"),
        9_000_000_410 => ApiError::forbidden("user is deactivated"),
        -9_000_000_403 => ApiError::forbidden("bot was kicked from the group chat"),
        -9_000_000_405 => ApiError::bad("not enough rights to send photos to the chat"),
        -9_000_000_301 => ApiError::migrated(-1_009_000_000_301),
        _ => return None,
    })
}

/// Whether a chat has topics; every supergroup of the sandbox is a forum that has all but the first.
pub(super) fn is_forum(id: i64) -> bool {
    id <= SUPERGROUPS && id > CHANNELS
}

/// Whether a chat is a channel, in whose messages no sender is shown.
pub(super) fn is_channel(id: i64) -> bool {
    id <= CHANNELS
}

/// A chat, as messages show it.
pub(super) fn json(id: i64) -> Value {
    match id {
        1.. => json!({"id": id, "first_name": format!("User {id}"), "type": "private"}),
        _ if is_channel(id) => json!({"id": id, "title": format!("Channel {id}"), "type": "channel"}),
        _ if id <= SUPERGROUPS => {
            json!({"id": id, "title": format!("Supergroup {id}"), "is_forum": true, "type": "supergroup"})
        }
        _ => json!({"id": id, "title": format!("Group {id}"), "type": "group", "all_members_are_administrators": true}),
    }
}

/// A bot, as messages and `getMe` show it.
pub(super) fn bot_json(id: u64) -> Value {
    json!({"id": id, "is_bot": true, "first_name": format!("Sandbox bot {id}"), "username": format!("sandbox_{id}_bot")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_usernames_are_read_and_garbage_is_not() {
        assert_eq!(id("12"), Some(12));
        assert_eq!(id("-1001234567890"), Some(-1_001_234_567_890));
        assert_eq!(id("@channel_name"), id("@Channel_Name"));
        assert_eq!(json(id("@channel_name").unwrap())["type"], "channel");
        for bad in ["", "0", "abc", "@", "@1abc", "@abc", "@channel-name", "99999999999999999999", "12.5"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
