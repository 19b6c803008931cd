//! People and groups under the names that callers know them by: phone numbers, and group titles.

use super::ids::{BotName, ChatId, InvalidIdError};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A phone number in international form: 5 to 15 digits, country code first, no `+`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number as people write it: `+49 (170) 123-45.67` becomes `491701234567`. Telegram's clients, too, give
    /// it with or without the `+`.
    ///
    /// # Errors
    /// As for the digits alone.
    pub fn normalized(text: &str) -> Result<Self, InvalidIdError> {
        let text = text.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        digits.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{a0}')).collect::<String>().parse()
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidIdError;

    fn from_str(digits: &str) -> Result<Self, InvalidIdError> {
        if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidIdError("a phone number has 5 to 15 digits, with the country code and without +"));
        }
        if digits.starts_with('0') {
            return Err(InvalidIdError("a phone number begins with its country code, never with 0"));
        }
        Ok(Self(digits.to_owned()))
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = InvalidIdError;

    fn try_from(text: String) -> Result<Self, InvalidIdError> {
        text.parse()
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows the last two digits: whose number it is belongs in the book, not in a log.
impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", &self.0[self.0.len() - 2..])
    }
}

/// The title of a group: 1 to 150 characters, none of them a control character, no white space at its ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(String);

impl GroupName {
    /// The most characters; Telegram's own limit is lower.
    pub const LIMIT: usize = 150;

    /// A title as Telegram gives it, cut to what fits; `None` if nothing is left.
    pub fn of_title(title: &str) -> Option<Self> {
        let plain: String = title.chars().filter(|c| !c.is_control()).collect();
        let cut: String = plain.trim().chars().take(Self::LIMIT).collect();
        cut.parse().ok()
    }

    /// The title.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > Self::LIMIT || text.chars().any(char::is_control) {
            return Err(InvalidIdError("a group name has 1 to 150 characters and no line breaks"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for GroupName {
    type Error = InvalidIdError;

    fn try_from(text: String) -> Result<Self, InvalidIdError> {
        text.parse()
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> Self {
        name.0
    }
}

/// What a recipient is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A person, by phone number.
    Number(PhoneNumber),
    /// A group.
    Group {
        /// Its title.
        name: GroupName,
        /// The phone number of its admin; of who created it, when the bot registers it.
        admin: PhoneNumber,
    },
}

impl Address {
    /// The address as one text, unique and in the order in which the book is listed.
    pub fn key(&self) -> String {
        match self {
            Self::Number(number) => format!("n:{number}"),
            Self::Group { name, admin } => format!("g:{}\n{admin}", name.0),
        }
    }

    /// Between what the keys of all groups of a name lie, and no others: a name holds no control characters.
    pub fn group_bounds(name: &GroupName) -> (String, String) {
        (format!("g:{}\n", name.0), format!("g:{}\u{b}", name.0))
    }

    /// The address that has a key.
    pub fn from_key(key: &str) -> Option<Self> {
        match key.split_once(':')? {
            ("n", number) => Some(Self::Number(number.parse().ok()?)),
            ("g", rest) => {
                let (name, admin) = rest.split_once('\n')?;
                Some(Self::Group { name: name.parse().ok()?, admin: admin.parse().ok()? })
            }
            _ => None,
        }
    }
}

/// An entry of the recipient book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// The bot that knows them.
    pub bot: BotName,
    /// What they are looked up by.
    pub address: Address,
    /// The chat that it leads to.
    pub chat_id: ChatId,
    /// What they are called, for people who read the book.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// When the entry was made, or last made anew.
    pub registered_at: Timestamp,
    /// Who made it.
    pub source: RecipientSource,
    /// Whether they can be written to.
    pub state: RecipientState,
}

/// Who made an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientSource {
    /// A caller of the HTTP API.
    Api,
    /// An import from a file.
    Import,
    /// They themselves, with the bot.
    Bot,
}

impl RecipientSource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Api, Self::Import, Self::Bot];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Import => "import",
            Self::Bot => "bot",
        }
    }
}

/// Whether a recipient can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientState {
    /// As far as is known.
    Active,
    /// They have blocked the bot.
    Blocked,
}

impl RecipientState {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Active, Self::Blocked];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
        }
    }
}

/// A group that the bot is in and that has no address yet: nobody knows the number of who created it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingGroup {
    /// The bot.
    pub bot: BotName,
    /// The group.
    pub chat_id: ChatId,
    /// Its title.
    pub name: GroupName,
    /// The user who created it.
    pub creator: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_with_a_country_code_however_people_write_them() {
        for (written, digits) in
            [("491701234567", "491701234567"), ("+49 (170) 123-45.67", "491701234567"), (" +1 5551 ", "15551")]
        {
            assert_eq!(PhoneNumber::normalized(written).map(String::from), Ok(digits.to_owned()), "{written}");
        }
        for bad in
            ["", "+", "1234", "1234567890123456", "01701234567", "49170x", "++49170123", "４９１７０１", "4917+0123"]
        {
            assert!(PhoneNumber::normalized(bad).is_err(), "{bad}");
        }
        assert!("+49170123".parse::<PhoneNumber>().is_err(), "digits alone means digits alone");
    }

    #[test]
    fn numbers_are_not_shown_whole_by_debug() {
        let number: PhoneNumber = "491701234567".parse().unwrap();
        assert_eq!(format!("{number:?}"), "…67");
    }

    #[test]
    fn titles_are_cut_to_what_a_group_name_may_be() {
        assert_eq!(GroupName::of_title(" Ops\n room ").unwrap().as_str(), "Ops room");
        assert_eq!(GroupName::of_title(&"ü".repeat(200)).unwrap().as_str().chars().count(), 150);
        assert_eq!(GroupName::of_title("\u{0} \n"), None);
        assert!("".parse::<GroupName>().is_err() && "a\nb".parse::<GroupName>().is_err());
    }

    #[test]
    fn keys_lead_back_to_their_addresses() {
        let admin: PhoneNumber = "491701234567".parse().unwrap();
        let group = |name: &str| Address::Group { name: name.parse().unwrap(), admin: admin.clone() };
        for address in [Address::Number(admin.clone()), group("Ops: the room"), group("n:12345")] {
            assert_eq!(Address::from_key(&address.key()), Some(address));
        }
        for bad in ["", "n:", "n:abc", "g:name", "g:\n491701234567", "x:1"] {
            assert_eq!(Address::from_key(bad), None, "{bad}");
        }
    }
}
