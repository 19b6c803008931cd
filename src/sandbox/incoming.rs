//! What users do, which a bot hears of as updates.

use super::chats::{Membership, bot_json, user_json};
use super::desk::Desk;
use super::inline;
use super::{State, chats, render};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a user does. The chat is the user's private chat with the bot unless one is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Incoming {
    /// Writes a text, such as `/start payload`; commands are marked as such.
    Text {
        /// Who writes.
        user_id: i64,
        /// What.
        text: String,
        /// A group in which it is written.
        #[serde(default)]
        chat_id: Option<i64>,
    },
    /// Shares a contact in the private chat.
    Contact {
        /// Who shares it.
        user_id: i64,
        /// The number, as the user's program writes it.
        phone_number: String,
        /// Whose contact it is: the sharer's own unless told; 0 for someone who is not on Telegram.
        #[serde(default)]
        contact_user_id: Option<i64>,
        /// Whether it was forwarded and not shared.
        #[serde(default)]
        forwarded: bool,
    },
    /// Blocks the bot: what is sent to the user from now on is refused with 403.
    Block {
        /// Who blocks.
        user_id: i64,
    },
    /// Unblocks it.
    Unblock {
        /// Who unblocks.
        user_id: i64,
    },
    /// Adds the bot to a group, or changes what it may do there.
    Added {
        /// The group.
        chat_id: i64,
        /// Its name.
        title: String,
        /// Who adds the bot.
        by: i64,
        /// Who created the group: the one who adds the bot, unless told.
        #[serde(default)]
        creator: Option<i64>,
        /// Whether the bot becomes an administrator.
        #[serde(default)]
        administrator: bool,
    },
    /// Takes the bot out of a group: what is sent there from now on is refused with 403.
    Removed {
        /// The group.
        chat_id: i64,
        /// Who does it.
        by: i64,
    },
    /// Makes a supergroup of a group: its old id is refused from now on, with the new one in `migrate_to_chat_id`.
    Migrated {
        /// The group.
        chat_id: i64,
        /// The supergroup.
        to: i64,
    },
    /// Presses a button below a message of the bot.
    Press {
        /// Who presses.
        user_id: i64,
        /// Where.
        chat_id: i64,
        /// Which message's button.
        message_id: i64,
        /// The button's `callback_data`.
        data: String,
    },
    /// Asks the bot from another chat.
    InlineQuery {
        /// Who asks.
        user_id: i64,
        /// What.
        query: String,
    },
    /// Sends a result of an answered inline query.
    ChooseInlineResult {
        /// The query.
        inline_query_id: String,
        /// The result's id.
        result_id: String,
    },
    /// Any update; its `update_id` is put in.
    Update {
        /// All its other fields.
        update: Map<String, Value>,
    },
}

/// What became of it, as far as it got such a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// The last update that it led to.
    pub update_id: i64,
    /// The message that the user sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<i64>,
    /// The inline query that the user asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inline_query_id: Option<String>,
    /// The message that was sent through the bot's inline answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inline_message_id: Option<String>,
}

/// Lets it happen. Refuses what cannot, saying why.
pub(super) fn receive(state: &State, bot: u64, incoming: Incoming) -> Result<Received, String> {
    let mut desk = state.desk();
    let date = state.unix_millis(state.now()) / 1000;
    let mut scene = Scene { desk: &mut desk, state, bot, date, received: Received::default() };
    scene.play(incoming)?;
    Ok(scene.received)
}

/// One thing that happens.
struct Scene<'a> {
    desk: &'a mut Desk,
    state: &'a State,
    bot: u64,
    date: u64,
    received: Received,
}

impl Scene<'_> {
    fn play(&mut self, incoming: Incoming) -> Result<(), String> {
        match incoming {
            Incoming::Text { user_id, text, chat_id } => {
                user(user_id)?;
                let mut content = json!({"text": text});
                if let Some(command) = text.split_whitespace().next().filter(|_| text.starts_with('/')) {
                    let length = command.encode_utf16().count();
                    content["entities"] = json!([{"type": "bot_command", "offset": 0, "length": length}]);
                }
                self.message(chat_id.unwrap_or(user_id), user_id, content);
            }
            Incoming::Contact { user_id, phone_number, contact_user_id, forwarded } => {
                user(user_id)?;
                let whose = contact_user_id.unwrap_or(user_id);
                let mut content =
                    json!({"contact": {"phone_number": phone_number, "first_name": format!("User {whose}")}});
                if whose != 0 {
                    content["contact"]["user_id"] = whose.into();
                }
                if forwarded {
                    let origin = json!({"type": "user", "sender_user": user_json(whose), "date": self.date});
                    content["forward_origin"] = origin;
                }
                self.message(user_id, user_id, content);
            }
            Incoming::Block { user_id } => self.member(user(user_id)?, user_id, Membership::Kicked),
            Incoming::Unblock { user_id } => self.member(user(user_id)?, user_id, Membership::Member),
            Incoming::Added { chat_id, title, by, creator, administrator } => {
                self.desk.chats.found(group(chat_id)?, title, creator.unwrap_or(by));
                let known = self.desk.chats.membership(self.bot, chat_id);
                let new = if administrator { Membership::Administrator } else { Membership::Member };
                self.change(chat_id, by, Membership::Left, new);
                if !known.is_some_and(Membership::is_in) {
                    self.message(chat_id, by, json!({"new_chat_members": [bot_json(self.bot)]}));
                }
            }
            Incoming::Removed { chat_id, by } => self.member(group(chat_id)?, by, Membership::Kicked),
            Incoming::Migrated { chat_id, to } => {
                if group(chat_id)? == group(to)? {
                    return Err("a group cannot become itself".into());
                }
                self.desk.migrations.insert(chat_id, to);
                self.desk.chats.rename(chat_id, to);
                self.message(chat_id, 0, json!({"migrate_to_chat_id": to}));
                self.message(to, 0, json!({"migrate_from_chat_id": chat_id}));
            }
            Incoming::Press { user_id, chat_id, message_id, data } => {
                let message = self.desk.log.find(self.bot, chat_id, message_id).ok_or("there is no such message")?;
                let message = render::message(message, self.desk, &self.state.store.secret);
                let id = self.desk.updates.next_number().to_string();
                let from = user_json(user(user_id)?);
                let instance = chat_id.to_string();
                let query =
                    json!({"id": id, "from": from, "message": message, "chat_instance": instance, "data": data});
                self.update("callback_query", query);
            }
            Incoming::InlineQuery { user_id, query } => {
                let id = self.desk.updates.next_number().to_string();
                self.desk.inline_queries.put(id.clone(), inline::Query::new(self.bot, user(user_id)?));
                let from = user_json(user_id);
                self.update(
                    "inline_query",
                    json!({"id": id, "from": from, "query": query, "offset": "", "chat_type": "sender"}),
                );
                self.received.inline_query_id = Some(id);
            }
            Incoming::ChooseInlineResult { inline_query_id, result_id } => {
                let chosen = inline::choose(self.state, self.desk, self.bot, &inline_query_id, &result_id)?;
                let mut result = json!({"result_id": result_id, "from": user_json(chosen.user_id), "query": ""});
                if chosen.has_keyboard {
                    // Without a keyboard Telegram does not tell (Bot API).
                    result["inline_message_id"] = chosen.inline_message_id.as_str().into();
                }
                self.update("chosen_inline_result", result);
                self.received.inline_message_id = Some(chosen.inline_message_id);
            }
            Incoming::Update { update } => self.received.update_id = self.desk.updates.push(self.bot, update),
        }
        Ok(())
    }

    /// A message from a user; a service message when `from` is 0.
    fn message(&mut self, chat_id: i64, from: i64, content: Value) {
        let message_id = self.desk.next_message_id(self.bot);
        let mut message = json!({"message_id": message_id});
        if from > 0 {
            message["from"] = user_json(from);
        }
        message["chat"] = self.desk.chats.json(chat_id);
        message["date"] = self.date.into();
        if let (Value::Object(message), Value::Object(content)) = (&mut message, content) {
            message.extend(content);
        }
        self.desk.incoming.put((self.bot, chat_id, message_id), message.clone());
        self.received.message_id = Some(message_id);
        self.update("message", message);
    }

    fn member(&mut self, chat_id: i64, by: i64, new: Membership) {
        self.change(chat_id, by, Membership::Member, new);
    }

    fn change(&mut self, chat_id: i64, by: i64, before: Membership, new: Membership) {
        let old = self.desk.chats.membership(self.bot, chat_id).unwrap_or(before);
        self.desk.chats.set_membership(self.bot, chat_id, new);
        let changed = json!({
            "chat": self.desk.chats.json(chat_id),
            "from": user_json(by),
            "date": self.date,
            "old_chat_member": chats::member_json(bot_json(self.bot), old),
            "new_chat_member": chats::member_json(bot_json(self.bot), new),
        });
        self.update("my_chat_member", changed);
    }

    fn update(&mut self, kind: &str, content: Value) {
        let update = Map::from_iter([(kind.to_owned(), content)]);
        self.received.update_id = self.desk.updates.push(self.bot, update);
    }
}

fn user(id: i64) -> Result<i64, String> {
    if id > 0 { Ok(id) } else { Err(format!("a user's id is positive, and {id} is not")) }
}

fn group(id: i64) -> Result<i64, String> {
    if id < 0 { Ok(id) } else { Err(format!("a group's id is negative, and {id} is not")) }
}
