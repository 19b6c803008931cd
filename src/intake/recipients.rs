//! Recipients, for every face: a phone number, or a group's name and its admin's number, in place of a chat id.

use super::accept::Intake;
use super::bots::configured_bot;
use super::members::Members;
use super::rejection::{ProblemCode, Rejection};
use crate::domain::{
    Address, BotName, ChatId, InvalidIdError, PhoneNumber, Recipient, RecipientSource, RecipientState, Timestamp,
};
use crate::ports::Recipients;
use serde_json::Value;
use std::collections::BTreeMap;

/// The field to blame when a recipient has no chat.
const RECIPIENT_FIELD: &str = "recipient";
/// The most entries that one request writes into the book.
pub const MAX_BULK_ENTRIES: usize = 1000;
/// The longest display name.
const NAME_LIMIT_CHARS: usize = 256;

impl Intake {
    /// The chat of a recipient: as the book has it, unless the bot delivers through WhatsMate, which knows recipients by
    /// number.
    ///
    /// # Errors
    /// As [`look_up`]; a group that the settings of a WhatsMate bot do not name is unregistered.
    pub async fn chat_of(&self, bot: &BotName, address: &Address) -> Result<ChatId, Rejection> {
        let bot = self.settings.bots.get(bot).ok_or_else(Rejection::unknown_bot)?;
        let Some(account) = bot.whatsmate() else { return look_up(&*self.ports.recipients, &bot.name, address).await };
        account.chat_of(address).ok_or_else(|| {
            let detail = "No group of this name with this admin is registered: the settings of the bot name none.";
            Rejection::field(ProblemCode::UnregisteredRecipient, RECIPIENT_FIELD, detail)
        })
    }
}

/// The chat of a recipient, as the book has it.
///
/// # Errors
/// [`ProblemCode::UnregisteredRecipient`], whose text says how to register; [`ProblemCode::RecipientBlocked`]; [`ProblemCode::Unavailable`]
/// while the book is away. The field to blame is `recipient`.
pub async fn look_up(book: &dyn Recipients, bot: &BotName, address: &Address) -> Result<ChatId, Rejection> {
    match book.get(bot, address).await? {
        Some(found) if found.state == RecipientState::Blocked => Err(Rejection::field(
            ProblemCode::RecipientBlocked,
            RECIPIENT_FIELD,
            "This recipient has blocked the bot. Nothing can be sent to them until they unblock it or press Start again.",
        )),
        Some(found) => Ok(found.chat_id),
        None => {
            // Without a username the rejection says less about how to reach the bot.
            let username = book.username(bot).await.unwrap_or_default();
            Err(unregistered(bot, username.as_deref(), address))
        }
    }
}

/// The rejection of an address that is not in the book; says what its owner has to do.
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
    Rejection::field(ProblemCode::UnregisteredRecipient, RECIPIENT_FIELD, detail)
}

/// Reads an entry of the book, as requests and files hold it.
pub fn entry(Members(members): Members, is_bot: impl Fn(&BotName) -> bool) -> Result<Recipient, Rejection> {
    const NAMES: [&str; 7] = ["bot", "number", "group_name", "group_admin", "chat_id", "name", "source"];
    let field = |code, name: &str, detail: String| Rejection::field(code, name, detail);
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in members {
        let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
            let shown: String = name.chars().take(64).collect();
            return Err(field(ProblemCode::UnknownField, &shown, format!("An entry has {}.", NAMES.join(", "))));
        };
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) if known == "chat_id" => number.to_string(),
            _ => return Err(field(ProblemCode::InvalidField, known, format!("{known} is a string."))),
        };
        if texts.insert(known, text).is_some() {
            return Err(field(ProblemCode::DuplicateField, known, format!("The field {known} is given twice.")));
        }
    }
    let bot = configured_bot(texts.remove("bot").as_deref(), is_bot)?;
    let part = |name: &str| texts.get(name).map(String::as_str);
    let address = address(part("number"), part("group_name"), part("group_admin")).map_err(|(part, error)| {
        let missing = InvalidIdError("an entry has a number, or a group_name and a group_admin");
        field(ProblemCode::InvalidRecipient, part, format!("{}.", error.unwrap_or(missing)))
    })?;
    let chat = part("chat_id").ok_or_else(|| {
        field(
            ProblemCode::MissingField,
            "chat_id",
            "chat_id is missing: the chat that the address leads to.".to_owned(),
        )
    })?;
    let chat_id = chat.trim().parse();
    let chat_id =
        chat_id.map_err(|error: InvalidIdError| field(ProblemCode::InvalidChatId, "chat_id", format!("{error}.")))?;
    let source = match part("source") {
        None | Some("api") => RecipientSource::Api,
        Some("import") => RecipientSource::Import,
        Some(_) => return Err(field(ProblemCode::InvalidField, "source", "source is one of api, import.".to_owned())),
    };
    let name = texts.remove("name").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > NAME_LIMIT_CHARS) {
        return Err(field(
            ProblemCode::InvalidField,
            "name",
            format!("name has at most {NAME_LIMIT_CHARS} characters."),
        ));
    }
    let (registered_at, state) = (Timestamp::now(), RecipientState::Active);
    Ok(Recipient { bot, address, chat_id, name, registered_at, source, state })
}

/// An address from its parts, numbers as people write them.
///
/// # Errors
/// The part to blame, and what is wrong with it; `None` if a part is missing or one too many.
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

    #[test]
    fn the_rejection_of_the_unregistered_says_where_to_register() {
        let (bot, number) = (BotName::default_bot(), Address::Number("491701234567".parse().unwrap()));
        assert!(unregistered(&bot, Some("plots_bot"), &number).detail.contains("https://t.me/plots_bot"));
        let unknown = unregistered(&bot, None, &number).detail;
        assert!(unknown.contains("\"default\"") && unknown.contains("share their own contact"), "{unknown}");
    }
}
