//! What an update means for the book. Reads only what it needs; everything else is none of its business.

use serde_json::Value;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistrationEvent {
    /// Somebody wrote to the bot in private; `started`: by its Start button, or `/start`.
    Wrote { user: i64, started: bool },
    /// Somebody shared a contact in private.
    SharedContact(SharedContact),
    /// Somebody blocked the bot, or unblocked it.
    Blocked { user: i64, blocked: bool },
    /// The bot is in a group; `by`: whoever did it.
    Joined { chat: i64, title: String, by: i64 },
    /// The bot is no longer in a group.
    Left { chat: i64 },
    /// A group has become a supergroup.
    Moved { from: i64, to: i64 },
    /// A group has another title.
    Renamed { chat: i64, title: String },
}

/// A contact.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedContact {
    /// Who shared it.
    pub user: i64,
    /// What they are called.
    pub name: Option<String>,
    /// The phone number as it is written.
    pub number: String,
    /// Whether it is their own: Telegram itself fills in whose it is, so a matching id can be trusted, unless the message
    /// was written by somebody else and only passed on (Bot API).
    pub own: bool,
}

/// The number of an update, and what it says if that concerns us.
pub fn read(update: &Value) -> Option<(i64, RegistrationEvent)> {
    let id = update["update_id"].as_i64()?;
    let event = match (update.get("message"), update.get("my_chat_member")) {
        (Some(message), _) => message_event(message),
        (None, Some(change)) => membership(change),
        (None, None) => None,
    };
    event.map(|event| (id, event))
}

fn message_event(message: &Value) -> Option<RegistrationEvent> {
    let chat = message["chat"]["id"].as_i64()?;
    match message["chat"]["type"].as_str()? {
        "private" => private(message),
        "group" | "supergroup" => {
            if let Some(to) = message["migrate_to_chat_id"].as_i64() {
                return Some(RegistrationEvent::Moved { from: chat, to });
            }
            if let Some(from) = message["migrate_from_chat_id"].as_i64() {
                return Some(RegistrationEvent::Moved { from, to: chat });
            }
            let title = message["new_chat_title"].as_str()?.to_owned();
            Some(RegistrationEvent::Renamed { chat, title })
        }
        _ => None,
    }
}

fn private(message: &Value) -> Option<RegistrationEvent> {
    /// That a message was passed on, as today's Bot API says it and as older servers do.
    const FORWARDED: [&str; 5] =
        ["forward_origin", "forward_date", "forward_from", "forward_from_chat", "forward_sender_name"];
    let user = message["from"]["id"].as_i64()?;
    let Some(contact) = message.get("contact") else {
        let text = message["text"].as_str().unwrap_or_default();
        let started = text == "/start" || text.starts_with("/start ") || text.starts_with("/start@");
        return Some(RegistrationEvent::Wrote { user, started });
    };
    let forwarded = FORWARDED.iter().any(|name| message.get(name).is_some_and(|value| !value.is_null()));
    let name: Vec<&str> =
        ["first_name", "last_name"].iter().filter_map(|part| message["from"][part].as_str()).collect();
    Some(RegistrationEvent::SharedContact(SharedContact {
        user,
        name: Some(name.join(" ")).filter(|name| !name.is_empty()),
        number: contact["phone_number"].as_str().unwrap_or_default().to_owned(),
        own: !forwarded && contact["user_id"].as_i64() == Some(user),
    }))
}

fn membership(change: &Value) -> Option<RegistrationEvent> {
    let (chat, by) = (change["chat"]["id"].as_i64()?, change["from"]["id"].as_i64()?);
    let member = &change["new_chat_member"];
    let is_in = match member["status"].as_str()? {
        "creator" | "administrator" | "member" => true,
        "restricted" => member["is_member"].as_bool().unwrap_or(false),
        "left" | "kicked" => false,
        _ => return None,
    };
    match change["chat"]["type"].as_str()? {
        "private" => Some(RegistrationEvent::Blocked { user: chat, blocked: !is_in }),
        "group" | "supergroup" if is_in => Some(RegistrationEvent::Joined {
            chat,
            title: change["chat"]["title"].as_str().unwrap_or_default().to_owned(),
            by,
        }),
        "group" | "supergroup" => Some(RegistrationEvent::Left { chat }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(chat: &str, extra: Value) -> Value {
        let mut message = json!({
            "chat": {"id": if chat == "private" { 7 } else { -7 }, "type": chat},
            "from": {"id": 7, "first_name": "Ada", "last_name": "L"},
        });
        message.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"update_id": 1, "message": message})
    }

    fn event(update: &Value) -> Option<RegistrationEvent> {
        read(update).map(|(_, event)| event)
    }

    #[test]
    fn a_contact_is_own_only_when_telegram_says_so_and_nobody_else_wrote_it() {
        let own = |contact: Value, extra: Value| {
            let mut extra = extra;
            extra["contact"] = contact;
            match event(&message("private", extra)) {
                Some(RegistrationEvent::SharedContact(contact)) => contact.own,
                other => panic!("{other:?}"),
            }
        };
        let mine = json!({"phone_number": "+4917012", "user_id": 7});
        assert!(own(mine.clone(), json!({})));
        assert!(own(mine.clone(), json!({"reply_to_message": {}})));
        for passed_on in
            [json!({"forward_origin": {"type": "user"}}), json!({"forward_date": 1}), json!({"forward_from": {}})]
        {
            assert!(!own(mine.clone(), passed_on.clone()), "{passed_on}");
        }
        for other in [json!({"phone_number": "4917012", "user_id": 8}), json!({"phone_number": "4917012"})] {
            assert!(!own(other.clone(), json!({})), "{other}");
        }
        let in_a_group = message("group", json!({"contact": mine}));
        assert_eq!(event(&in_a_group), None, "a contact in a group registers nobody");
    }

    #[test]
    fn start_is_told_from_other_messages() {
        for (text, started) in
            [("/start", true), ("/start abc", true), ("/start@plots_bot", true), ("/started", false), ("Hi", false)]
        {
            assert_eq!(
                event(&message("private", json!({"text": text}))),
                Some(RegistrationEvent::Wrote { user: 7, started }),
                "{text}"
            );
        }
        assert_eq!(event(&message("group", json!({"text": "/start"}))), None);
        assert_eq!(event(&message("channel", json!({"text": "/start"}))), None);
    }

    #[test]
    fn memberships_say_who_is_in_and_who_is_out() {
        let change = |kind: &str, member: Value| {
            event(&json!({"update_id": 2, "my_chat_member": {
                "chat": {"id": -5, "type": kind, "title": "Ops"}, "from": {"id": 3}, "new_chat_member": member}}))
        };
        let joined = Some(RegistrationEvent::Joined { chat: -5, title: "Ops".to_owned(), by: 3 });
        for (member, is_in) in [
            (json!({"status": "member"}), true),
            (json!({"status": "administrator"}), true),
            (json!({"status": "restricted", "is_member": true}), true),
            (json!({"status": "restricted", "is_member": false}), false),
            (json!({"status": "left"}), false),
            (json!({"status": "kicked"}), false),
        ] {
            let expected = if is_in { joined.clone() } else { Some(RegistrationEvent::Left { chat: -5 }) };
            assert_eq!(change("supergroup", member.clone()), expected, "{member}");
            assert_eq!(change("private", member), Some(RegistrationEvent::Blocked { user: -5, blocked: !is_in }));
        }
        assert_eq!(change("channel", json!({"status": "administrator"})), None);
    }

    #[test]
    fn both_halves_of_a_migration_say_the_same() {
        let moved = Some(RegistrationEvent::Moved { from: -7, to: -1007 });
        assert_eq!(event(&message("group", json!({"migrate_to_chat_id": -1007}))), moved);
        let mut other = message("supergroup", json!({"migrate_from_chat_id": -7}));
        other["message"]["chat"]["id"] = json!(-1007);
        assert_eq!(event(&other), moved);
    }

    #[test]
    fn what_is_strange_is_passed_over() {
        for strange in [
            json!(null),
            json!({}),
            json!({"update_id": 1}),
            json!({"update_id": 1, "message": 5}),
            json!({"update_id": "1", "message": {}}),
            json!({"update_id": 1, "my_chat_member": {"chat": []}}),
        ] {
            assert_eq!(read(&strange), None, "{strange}");
        }
    }
}
