//! What an id says about its chat.

use crate::sandbox::arguments::leading_integer;
use sha2::Digest;

/// Ids from here down are supergroups and channels.
const MAX_SUPERGROUP_ID: i64 = -1_000_000_000_000;
/// Channels with a username get ids from here down.
const MAX_CHANNEL_ID: i64 = -1_900_000_000_000;
/// Ids have at most 52 significant bits.
const MAX_ID: u64 = 1 << 52;

/// The id that an argument means, if any: the digits that it begins with, or a username without dots and white space.
pub fn parse_chat_id(text: &str) -> Option<i64> {
    match text.strip_prefix('@') {
        Some(name) => {
            let name = name.trim().replace('.', "");
            let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let good = (5..=32).contains(&name.len()) && fits && name.as_bytes()[0].is_ascii_alphabetic();
            let digest = sha2::Sha256::digest(name.to_ascii_lowercase());
            good.then(|| MAX_CHANNEL_ID - i64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])))
        }
        None => Some(leading_integer(text)).filter(|id| *id != 0 && id.unsigned_abs() <= MAX_ID),
    }
}

/// Whether a chat has topics; every supergroup of the sandbox is a forum that has all but the first.
pub fn is_forum(id: i64) -> bool {
    id <= MAX_SUPERGROUP_ID && id > MAX_CHANNEL_ID
}

/// Whether a chat is a channel, in whose messages no sender is shown.
pub fn is_channel(id: i64) -> bool {
    id <= MAX_CHANNEL_ID
}

/// The type of a chat, as messages name it.
pub fn chat_type(id: i64) -> &'static str {
    match id {
        1.. => "private",
        _ if is_channel(id) => "channel",
        _ if id <= MAX_SUPERGROUP_ID => "supergroup",
        _ => "group",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_usernames_are_read_and_garbage_is_not() {
        for text in ["12", "12.5", "12\n", "012abc", "18446744073709551628"] {
            assert_eq!(parse_chat_id(text), Some(12), "{text}");
        }
        assert_eq!(parse_chat_id("-1001234567890"), Some(-1_001_234_567_890));
        assert_eq!(parse_chat_id("@channel_name"), parse_chat_id("@Channel_N.ame\n"));
        assert_eq!(chat_type(parse_chat_id("@channel_name").unwrap()), "channel");
        for bad in ["", "0", "abc", "@", "@1abc", "@abc", "@channel-name", " 12", "+12", "\u{feff}12"] {
            assert_eq!(parse_chat_id(bad), None, "{bad}");
        }
    }
}
