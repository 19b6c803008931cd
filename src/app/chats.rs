//! Who has written to a bot: a bot may write to those alone, and their numbers are found nowhere else.

use crate::adapters::messenger_by_kind::MessengerByKind;
use crate::domain::BotName;
use crate::ports::{Messenger, MessengerRequest, MessengerResponse};
use crate::settings::Settings;
use anyhow::{Context, bail};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long Telegram may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A chat that has let a bot hear from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Its number, the `chat_id` of a notification.
    pub id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    pub kind: String,
    /// Its title, or the name of the person.
    pub name: String,
}

/// The chats in the updates that Telegram has for a bot, at most 100 of the last 24 hours (Bot API, getUpdates). None is confirmed: they
/// stay there for whoever reads them.
///
/// # Errors
/// There is no such bot on Telegram, or Telegram does not tell.
pub async fn who_wrote_to(settings: &Settings, bot: &BotName) -> anyhow::Result<Vec<Chat>> {
    let known = settings.bots.get(bot).with_context(|| format!("there is no bot {bot} in the configuration"))?;
    if known.telegram().is_none() {
        bail!("bot {bot} is none of Telegram's");
    }
    let messenger = MessengerByKind::new(settings.bots.clone()).context("start the HTTP client")?;
    let request = MessengerRequest {
        bot: bot.clone(),
        method: "getUpdates".to_owned(),
        params: Map::from_iter([("limit".to_owned(), 100.into())]),
        files: Vec::new(),
        timeout: ANSWER_TIMEOUT,
    };
    let answer = messenger.call(request).await.context("no answer from the Bot API")?;
    let MessengerResponse { status, reply, .. } = answer;
    let Some(reply) = reply else { bail!("Telegram's answer is strange (status {status})") };
    match reply.result {
        Some(Value::Array(updates)) if reply.ok => Ok(chats_in(&updates)),
        _ => bail!("Telegram says: {}", reply.description.unwrap_or_else(|| format!("status {status}"))),
    }
}

/// The chats of updates, whatever these tell, each once and the latest first.
fn chats_in(updates: &[Value]) -> Vec<Chat> {
    let mut latest = BTreeMap::new();
    for (place, update) in updates.iter().enumerate() {
        let parts = update.as_object().into_iter().flat_map(Map::values);
        for chat in parts.filter_map(|part| part.get("chat").or_else(|| part.get("message")?.get("chat"))) {
            if let Some(chat) = read(chat) {
                latest.insert(chat.id, (place, chat));
            }
        }
    }
    let mut chats: Vec<_> = latest.into_values().collect();
    chats.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
    chats.into_iter().map(|(_, chat)| chat).collect()
}

fn read(chat: &Value) -> Option<Chat> {
    let text = |name: &str| chat.get(name).and_then(Value::as_str);
    let person = [text("first_name"), text("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut name = text("title").map_or(person, str::to_owned);
    if let Some(username) = text("username") {
        name.push_str(&format!(" (@{username})"));
    }
    Some(Chat { id: chat.get("id")?.as_i64()?, kind: text("type").unwrap_or("chat").to_owned(), name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_chat_is_told_once_whatever_the_update_is_about() {
        let ada = json!({"id": 7, "type": "private", "first_name": "Ada", "last_name": "Lovelace", "username": "ada"});
        let group = json!({"id": -100, "type": "supergroup", "title": "On call"});
        let updates = [
            json!({"update_id": 1, "message": {"message_id": 1, "chat": ada, "text": "/start"}}),
            json!({"update_id": 2, "my_chat_member": {"chat": group}}),
            json!({"update_id": 3, "callback_query": {"id": "1", "message": {"chat": ada}}}),
            json!({"update_id": 4, "inline_query": {"id": "2"}}),
        ];
        let told: Vec<_> = chats_in(&updates).into_iter().map(|chat| (chat.id, chat.kind, chat.name)).collect();
        let expected = [(7, "private", "Ada Lovelace (@ada)"), (-100, "supergroup", "On call")];
        assert_eq!(told, expected.map(|(id, kind, name)| (id, kind.to_owned(), name.to_owned())));
    }
}
