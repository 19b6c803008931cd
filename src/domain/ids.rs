//! Names that cannot hold a bad value.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a text is not the id it should be; reads alone, names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidIdError(pub &'static str);

/// The id of a notification: a UUID of version 7, so ids made by one process sort in the order they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotificationId(Uuid);

impl NotificationId {
    /// A fresh id, later than every one this process made before.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id right after this one, for what belongs to it and must not be overtaken by what comes later.
    pub fn following(self) -> Self {
        Self(Uuid::from_u128(self.0.as_u128().wrapping_add(1)))
    }

    /// The lowest id that can be made at a moment: no id made before is as high, and none made from then on is lower.
    pub fn first_of(at: Timestamp) -> Self {
        Self::from_number(u128::from(at.unix_millis().unsigned_abs()) << 80)
    }

    /// When it was made, as it says itself.
    pub fn made_at(self) -> Timestamp {
        Timestamp::from_unix_millis(i64::try_from(self.as_number() >> 80).unwrap_or(i64::MAX))
    }

    /// The id as a number; order follows the ids.
    pub fn as_number(self) -> u128 {
        self.0.as_u128()
    }

    /// The id with a given number, for tests and simulations; order follows the number.
    pub fn from_number(number: u128) -> Self {
        Self(Uuid::from_u128(number))
    }
}

impl Default for NotificationId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NotificationId {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidIdError("a notification id is a UUID"))
    }
}

/// The name of a configured bot: 1 to 64 of `a-z 0-9 _ -`. It is part of queue names and metric labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BotName(String);

impl BotName {
    /// The bot that a request without `bot` means, and the one `PIXCOURIER_BOT_TOKEN` configures.
    pub fn default_bot() -> Self {
        Self("default".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BotName {
    type Error = InvalidIdError;

    fn try_from(text: String) -> Result<Self, InvalidIdError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            return Err(InvalidIdError("a bot name is 1 to 64 characters of a-z, 0-9, _ and -"));
        }
        Ok(Self(text))
    }
}

impl FromStr for BotName {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        Self::try_from(text.to_owned())
    }
}

impl From<BotName> for String {
    fn from(name: BotName) -> Self {
        name.0
    }
}

impl fmt::Display for BotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Telegram's `chat_id`: a number, or the `@username` of a public group, channel or bot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ChatId {
    /// A user (positive), a basic group (negative), a supergroup or channel (`-100…`); within 52 bits (Bot API).
    Id(i64),
    /// `@name`, with the `@`.
    Username(String),
}

impl ChatId {
    /// Groups and channels have a tighter budget than private chats (Bots FAQ: 20 messages a minute). A username
    /// counts as a group: a private user's username is never a valid `chat_id`.
    pub fn is_group(&self) -> bool {
        match self {
            Self::Id(id) => *id < 0,
            Self::Username(_) => true,
        }
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Username(name) => name.fmt(f),
        }
    }
}

impl FromStr for ChatId {
    type Err = InvalidIdError;

    /// Reads what Telegram would accept: a non-zero integer within 52 bits, or `@` and 4 to 32 of `A-Za-z0-9_`.
    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        const WRONG: InvalidIdError = InvalidIdError(
            "chat_id is a non-zero integer within 52 bits, or @username (a letter first, 4 to 32 of A-Z a-z 0-9 _)",
        );
        const LARGEST: u64 = 1 << 52;
        if let Some(name) = text.strip_prefix('@') {
            let starts = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
            let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            return if starts && fits && (4..=32).contains(&name.len()) {
                Ok(Self::Username(text.to_owned()))
            } else {
                Err(WRONG)
            };
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(WRONG);
        }
        match text.parse::<i64>() {
            Ok(id) if id != 0 && id.unsigned_abs() < LARGEST => Ok(Self::Id(id)),
            _ => Err(WRONG),
        }
    }
}

/// The SHA-256 of an image's bytes: its name in the blob store and in the upload-once index. Written as 64 lower-case
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// From the digest's bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidIdError("sha256 is 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = InvalidIdError;

    fn try_from(text: String) -> Result<Self, InvalidIdError> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_ids_are_numbers_within_52_bits_or_usernames() {
        for good in ["1", "-1001234567890", "4503599627370495", "@some_channel", "@abcd"] {
            assert_eq!(good.parse::<ChatId>().map(|c| c.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "0",
            "-",
            "@",
            "@abc",
            "@1abcd",
            "@a b c d",
            "+5",
            "1.5",
            "4503599627370496",
            "-9223372036854775808",
            "99999999999999999999",
            "bob",
        ] {
            assert!(bad.parse::<ChatId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_and_usernames_have_the_group_budget() {
        assert!(ChatId::Id(-5).is_group());
        assert!(ChatId::Username("@news_channel".into()).is_group());
        assert!(!ChatId::Id(5).is_group());
    }

    #[test]
    fn ids_of_one_process_sort_in_the_order_they_were_made() {
        let made: Vec<_> = (0..1000).map(|_| NotificationId::new()).collect();
        assert!(made.is_sorted());
        let text: Vec<_> = made.iter().map(ToString::to_string).collect();
        assert!(text.is_sorted(), "as text too: listing relies on it");
    }

    #[test]
    fn bot_names_fit_queue_names() {
        assert!("alerts-2".parse::<BotName>().is_ok());
        for bad in ["", "Alerts", "a.b", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<BotName>().is_err(), "{bad}");
        }
    }
}
