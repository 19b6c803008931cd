//! Recipients by name, for every face: a phone number, or a group's name and its admin's number, in place of a chat id.

use super::fields::Members;
use super::rejection::{Code, Rejection};
use crate::domain::{
    Address, BotName, ChatId, InvalidIdError, PhoneNumber, Recipient, RecipientSource, RecipientState, Timestamp,
};
use crate::ports::Recipients;
use crate::settings::Bot;
use serde_json::Value;
use std::collections::BTreeMap;

/// The chat of a recipient: as the book has it, unless the bot delivers through WhatsMate, which knows recipients by
/// number.
///
/// # Errors
/// As [`resolve`]; a group that the settings of a WhatsMate bot do not name is unregistered.
pub async fn chat_of(book: &dyn Recipients, bot: &Bot, address: &Address) -> Result<ChatId, Rejection> {
    let Some(account) = bot.whatsmate() else { return resolve(book, &bot.name, address).await };
    account.chat_of(address).ok_or_else(|| {
        let detail = "No group of this name with this admin is registered: the settings of the bot name none.";
        Rejection::field(Code::UnregisteredRecipient, FIELD, detail)
    })
}

/// The chat of a recipient, as the book has it.
///
/// # Errors
/// [`Code::UnregisteredRecipient`], whose text says how to register; [`Code::RecipientBlocked`]; [`Code::Unavailable`]
/// while the book is away. The field to blame is `recipient`.
pub async fn resolve(book: &dyn Recipients, bot: &BotName, address: &Address) -> Result<ChatId, Rejection> {
    match book.get(bot, address).await? {
        Some(found) if found.state == RecipientState::Blocked => Err(Rejection::field(
            Code::RecipientBlocked,
            FIELD,
            "This recipient has blocked the bot. Nothing can be sent to them until they unblock it or press Start again.",
        )),
        Some(found) => Ok(found.chat_id),
        None => {
            // Only the way to the bot is missing without it.
            let username = book.username(bot).await.unwrap_or_default();
            Err(unregistered(bot, username.as_deref(), address))
        }
    }
}

/// The rejection of an address that is not in the book, with what its owner has to do.
fn unregistered(bot: &BotName, username: Option<&str>, address: &Address) -> Rejection {
    let chat = match username {
        Some(username) => format!("open https://t.me/{username}"),
        None => format!("open the chat with the Telegram bot behind \"{bot}\""),
    };
    let detail = match address {
        Address::Number(_) => format!(
            "This phone number has not registered, and until then Telegram delivers nothing to it. Its owner must {chat}, press Start, and share their own contact with the button that appears; then send again."
        ),
        Address::Group { .. } => format!(
            "No group of this name with this admin has registered. Whoever created the group must {chat}, press Start and share their own contact, and the bot must be a member of the group; the name must be the group's title, letter by letter."
        ),
    };
    Rejection::field(Code::UnregisteredRecipient, FIELD, detail)
}

const FIELD: &str = "recipient";

/// Reads how a request names a recipient: `{"number": …}`, `{"group_name": …, "group_admin": …}`, or a number as a
/// plain string. In a form the same as JSON text.
pub fn read(value: Value) -> Result<Address, Rejection> {
    let members = match value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str::<Members>(&text).map_err(|_| wrong(None))?.0
        }
        Value::String(number) => vec![("number".to_owned(), Value::String(number))],
        Value::Object(members) => members.into_iter().collect(),
        _ => return Err(wrong(None)),
    };
    let (mut number, mut name, mut admin) = (None, None, None);
    for (member, value) in members {
        let place = match member.as_str() {
            "number" => &mut number,
            "group_name" => &mut name,
            "group_admin" => &mut admin,
            _ => return Err(wrong(None)),
        };
        let Value::String(text) = value else { return Err(wrong(None)) };
        if place.replace(text).is_some() {
            return Err(wrong(None));
        }
    }
    address(number.as_deref(), name.as_deref(), admin.as_deref()).map_err(|(_, error)| wrong(error))
}

fn wrong(because: Option<InvalidIdError>) -> Rejection {
    let detail = because.map(|error| format!("{error}.")).unwrap_or_else(|| {
        "recipient is {\"number\": \"491701234567\"}, or {\"group_name\": \"Night shift\", \"group_admin\": \"491701234567\"}.".to_owned()
    });
    Rejection::field(Code::InvalidRecipient, FIELD, detail)
}

/// The most entries that one request writes into the book.
pub const BULK_LIMIT: usize = 1000;
/// The longest display name in characters.
const NAME_LIMIT: usize = 256;

/// Reads an entry of the book, as requests and files hold it.
pub fn entry(Members(members): Members, is_bot: impl Fn(&BotName) -> bool) -> Result<Recipient, Rejection> {
    const NAMES: [&str; 7] = ["bot", "number", "group_name", "group_admin", "chat_id", "name", "source"];
    let field = |code, name: &str, detail: String| Rejection::field(code, name, detail);
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in members {
        let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
            let shown: String = name.chars().take(64).collect();
            return Err(field(Code::UnknownField, &shown, format!("An entry has {}.", NAMES.join(", "))));
        };
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) if known == "chat_id" => number.to_string(),
            _ => return Err(field(Code::InvalidField, known, format!("{known} is a string."))),
        };
        if texts.insert(known, text).is_some() {
            return Err(field(Code::DuplicateField, known, format!("The field {known} is given twice.")));
        }
    }
    let bot = texts.remove("bot").map_or(Some(BotName::default_bot()), |text| text.parse().ok());
    let bot = bot.filter(is_bot).ok_or_else(unknown_bot)?;
    let part = |name: &str| texts.get(name).map(String::as_str);
    let address = address(part("number"), part("group_name"), part("group_admin")).map_err(|(part, error)| {
        let missing = InvalidIdError("an entry has a number, or a group_name and a group_admin");
        field(Code::InvalidRecipient, part, format!("{}.", error.unwrap_or(missing)))
    })?;
    let chat = part("chat_id").ok_or_else(|| {
        field(Code::MissingField, "chat_id", "chat_id is missing: the chat that the address leads to.".to_owned())
    })?;
    let chat_id = chat.trim().parse();
    let chat_id =
        chat_id.map_err(|error: InvalidIdError| field(Code::InvalidChatId, "chat_id", format!("{error}.")))?;
    let source = match part("source") {
        None | Some("api") => RecipientSource::Api,
        Some("import") => RecipientSource::Import,
        Some(_) => return Err(field(Code::InvalidField, "source", "source is one of api, import.".to_owned())),
    };
    let name = texts.remove("name").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > NAME_LIMIT) {
        return Err(field(Code::InvalidField, "name", format!("name has at most {NAME_LIMIT} characters.")));
    }
    let (registered_at, state) = (Timestamp::now(), RecipientState::Active);
    Ok(Recipient { bot, address, chat_id, name, registered_at, source, state })
}

/// The rejection of a bot that is not configured.
pub fn unknown_bot() -> Rejection {
    let detail = "No bot of this name is configured. Without bot, the one named default is meant.";
    Rejection::field(Code::UnknownBot, "bot", detail)
}

/// An address from its parts, numbers as people write them. An error names the part to blame and what is wrong with it;
/// without words, a part is missing or one too many.
pub fn address(
    number: Option<&str>,
    group_name: Option<&str>,
    group_admin: Option<&str>,
) -> Result<Address, (&'static str, Option<InvalidIdError>)> {
    let phone = |part, text| PhoneNumber::normalized(text).map_err(|error| (part, Some(error)));
    match (number, group_name, group_admin) {
        (Some(number), None, None) => Ok(Address::Number(phone("number", number)?)),
        (None, Some(name), Some(admin)) => Ok(Address::Group {
            name: name.parse().map_err(|error| ("group_name", Some(error)))?,
            admin: phone("group_admin", admin)?,
        }),
        (None, None, None) => Err(("number", None)),
        (Some(_), _, _) => Err(("number", None)),
        (None, None, Some(_)) => Err(("group_name", None)),
        (None, Some(_), None) => Err(("group_admin", None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recipients_are_named_by_number_or_by_group_and_admin() {
        let number: PhoneNumber = "491701234567".parse().unwrap();
        for value in
            [json!("+49 170 1234567"), json!({"number": "491701234567"}), json!("{\"number\":\"491701234567\"}")]
        {
            assert_eq!(read(value), Ok(Address::Number(number.clone())));
        }
        let group = Address::Group { name: "Night shift".parse().unwrap(), admin: number };
        assert_eq!(read(json!({"group_admin": "+491701234567", "group_name": "Night shift"})), Ok(group));
    }

    #[test]
    fn what_names_no_recipient_is_refused() {
        for bad in [
            json!(491701234567u64),
            json!([]),
            json!({}),
            json!("0170 1234567"),
            json!({"number": 491701234567u64}),
            json!({"number": "491701234567", "group_name": "a", "group_admin": "491701234567"}),
            json!({"group_name": "a"}),
            json!({"group_admin": "491701234567"}),
            json!({"nummer": "491701234567"}),
            json!("{\"number\":\"491701234567\",\"number\":\"491701234568\"}"),
        ] {
            let rejection = read(bad.clone()).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (Code::InvalidRecipient, Some(FIELD)), "{bad}");
        }
    }

    #[test]
    fn the_refusal_of_the_unregistered_says_where_to_register() {
        let (bot, number) = (BotName::default_bot(), Address::Number("491701234567".parse().unwrap()));
        assert!(unregistered(&bot, Some("plots_bot"), &number).detail.contains("https://t.me/plots_bot"));
        let unknown = unregistered(&bot, None, &number).detail;
        assert!(unknown.contains("\"default\"") && unknown.contains("share their own contact"), "{unknown}");
    }
}
