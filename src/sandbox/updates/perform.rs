//! Carrying out what users do: changes what is known of the chats and tells the bot.

use super::inline_query::{InlineQueries, InlineQuery, choose, inline_message_id};
use super::queues::UpdateQueues;
use super::user_action::{UserAction, UserActionResult};
use crate::sandbox::chats::{BotMembership, ChatDirectory, bot_json, member_json, user_json};
use crate::sandbox::files::MediaFiles;
use crate::sandbox::log::ChatHistory;
use crate::sandbox::render::message_json;
use serde_json::{Map, Value, json};

/// One action of a user, and the parts of the sandbox that it changes.
pub struct UserActionRun<'a> {
    pub history: &'a mut ChatHistory,
    pub updates: &'a mut UpdateQueues,
    pub chats: &'a mut ChatDirectory,
    pub inline_queries: &'a mut InlineQueries,
    pub files: &'a MediaFiles,
    pub bot: u64,
    /// When it happens, Unix time in milliseconds.
    pub at_ms: u64,
    pub result: UserActionResult,
}

impl UserActionRun<'_> {
    /// Lets it happen. Refuses what cannot, saying why.
    pub fn perform(mut self, action: UserAction) -> Result<UserActionResult, String> {
        match action {
            UserAction::Text { user_id, text, chat_id } => self.text(user(user_id)?, chat_id.unwrap_or(user_id), &text),
            UserAction::Contact { user_id, phone_number, contact_user_id, forwarded } => {
                self.contact(user(user_id)?, contact_user_id.unwrap_or(user_id), &phone_number, forwarded);
            }
            UserAction::Block { user_id } => self.change_member(user(user_id)?, user_id, BotMembership::Kicked),
            UserAction::Unblock { user_id } => self.change_member(user(user_id)?, user_id, BotMembership::Member),
            UserAction::Added { chat_id, title, by, creator, administrator } => {
                self.chats.name_group(group(chat_id)?, title, creator.unwrap_or(by));
                self.add_to_group(chat_id, by, administrator);
            }
            UserAction::Removed { chat_id, by } => self.change_member(group(chat_id)?, by, BotMembership::Kicked),
            UserAction::Migrated { chat_id, to } => {
                if group(chat_id)? == group(to)? {
                    return Err("a group cannot become itself".into());
                }
                self.chats.migrate(chat_id, to);
                self.message(chat_id, 0, json!({"migrate_to_chat_id": to}));
                self.message(to, 0, json!({"migrate_from_chat_id": chat_id}));
            }
            UserAction::Press { user_id, chat_id, message_id, data } => {
                self.press(user_id, chat_id, message_id, &data)?;
            }
            UserAction::InlineQuery { user_id, query } => {
                let id = self.updates.next_number().to_string();
                self.inline_queries.put(id.clone(), InlineQuery::new(self.bot, user(user_id)?));
                let from = user_json(user_id);
                let query = json!({"id": id, "from": from, "query": query, "offset": "", "chat_type": "sender"});
                self.update("inline_query", query);
                self.result.inline_query_id = Some(id);
            }
            UserAction::ChooseInlineResult { inline_query_id, result_id } => {
                self.choose_inline_result(&inline_query_id, &result_id)?;
            }
            UserAction::Update { update } => self.result.update_id = self.updates.push(self.bot, update),
        }
        Ok(self.result)
    }

    fn text(&mut self, user_id: i64, chat_id: i64, text: &str) {
        let mut content = json!({"text": text});
        if let Some(command) = text.split_whitespace().next().filter(|_| text.starts_with('/')) {
            let length = command.encode_utf16().count();
            content["entities"] = json!([{"type": "bot_command", "offset": 0, "length": length}]);
        }
        self.message(chat_id, user_id, content);
    }

    fn contact(&mut self, user_id: i64, contact_user_id: i64, phone_number: &str, forwarded: bool) {
        let first_name = format!("User {contact_user_id}");
        let mut content = json!({"contact": {"phone_number": phone_number, "first_name": first_name}});
        if contact_user_id != 0 {
            content["contact"]["user_id"] = contact_user_id.into();
        }
        if forwarded {
            let origin = json!({"type": "user", "sender_user": user_json(contact_user_id), "date": self.date()});
            content["forward_origin"] = origin;
        }
        self.message(user_id, user_id, content);
    }

    fn add_to_group(&mut self, chat_id: i64, by: i64, administrator: bool) {
        let known = self.chats.membership(self.bot, chat_id);
        let new = if administrator { BotMembership::Administrator } else { BotMembership::Member };
        self.change_membership(chat_id, by, BotMembership::Left, new);
        if !known.is_some_and(BotMembership::is_in) {
            self.message(chat_id, by, json!({"new_chat_members": [bot_json(self.bot)]}));
        }
    }

    fn press(&mut self, user_id: i64, chat_id: i64, message_id: i64, data: &str) -> Result<(), String> {
        let message = self.history.log.find(self.bot, chat_id, message_id).ok_or("there is no such message")?;
        let message = message_json(message, self.history, self.chats, self.files);
        let id = self.updates.next_number().to_string();
        let from = user_json(user(user_id)?);
        let instance = chat_id.to_string();
        let query = json!({"id": id, "from": from, "message": message, "chat_instance": instance, "data": data});
        self.update("callback_query", query);
        Ok(())
    }

    fn choose_inline_result(&mut self, inline_query_id: &str, result_id: &str) -> Result<(), String> {
        let query = self.inline_queries.get(inline_query_id).filter(|query| query.bot == self.bot);
        let query = query.ok_or("there is no such inline query")?;
        let message = choose(query, result_id, self.files, self.at_ms)?;
        let inline_message_id = inline_message_id(self.updates.next_number());
        let mut result = json!({"result_id": result_id, "from": user_json(query.user_id), "query": ""});
        if message.reply_markup.is_some() {
            // Without a keyboard Telegram does not tell (Bot API).
            result["inline_message_id"] = inline_message_id.as_str().into();
        }
        self.history.inline.put((self.bot, inline_message_id.clone()), message);
        self.update("chosen_inline_result", result);
        self.result.inline_message_id = Some(inline_message_id);
        Ok(())
    }

    /// A message from a user; a service message when `from` is 0.
    fn message(&mut self, chat_id: i64, from: i64, content: Value) {
        let message_id = self.history.next_message_id(self.bot);
        let mut message = json!({"message_id": message_id});
        if from > 0 {
            message["from"] = user_json(from);
        }
        message["chat"] = self.chats.json(chat_id);
        message["date"] = self.date().into();
        if let (Value::Object(message), Value::Object(content)) = (&mut message, content) {
            message.extend(content);
        }
        self.history.written.put((self.bot, chat_id, message_id), message.clone());
        self.result.message_id = Some(message_id);
        self.update("message", message);
    }

    fn change_member(&mut self, chat_id: i64, by: i64, new: BotMembership) {
        self.change_membership(chat_id, by, BotMembership::Member, new);
    }

    /// Changes what the bot is in a chat, where it was `before` unless something happened there.
    fn change_membership(&mut self, chat_id: i64, by: i64, before: BotMembership, new: BotMembership) {
        let old = self.chats.membership(self.bot, chat_id).unwrap_or(before);
        self.chats.set_membership(self.bot, chat_id, new);
        let changed = json!({
            "chat": self.chats.json(chat_id),
            "from": user_json(by),
            "date": self.date(),
            "old_chat_member": member_json(bot_json(self.bot), old),
            "new_chat_member": member_json(bot_json(self.bot), new),
        });
        self.update("my_chat_member", changed);
    }

    fn update(&mut self, kind: &str, content: Value) {
        let update = Map::from_iter([(kind.to_owned(), content)]);
        self.result.update_id = self.updates.push(self.bot, update);
    }

    fn date(&self) -> u64 {
        self.at_ms / 1000
    }
}

fn user(id: i64) -> Result<i64, String> {
    if id > 0 { Ok(id) } else { Err(format!("a user's id is positive, and {id} is not")) }
}

fn group(id: i64) -> Result<i64, String> {
    if id < 0 { Ok(id) } else { Err(format!("a group's id is negative, and {id} is not")) }
}
