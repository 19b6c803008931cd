//! Who can be written to. Every positive id is a user who has started the bot, every negative one a group or supergroup
//! that it is in, every `@username` a channel, until users do something else; except these, with which failures can be
//! tried:
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

use super::chat_id::chat_type;
use super::profiles::BotMembership;
use crate::sandbox::sandbox_error::SandboxError;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Who created the groups of which nothing is known.
const DEFAULT_CREATOR_ID: i64 = 1;

/// What has become known about chats.
#[derive(Default)]
pub struct ChatDirectory {
    groups: HashMap<i64, KnownGroup>,
    memberships: HashMap<(u64, i64), BotMembership>,
    /// Groups that have another id now.
    migrations: HashMap<i64, i64>,
}

#[derive(Clone)]
struct KnownGroup {
    title: String,
    creator: i64,
}

impl ChatDirectory {
    /// Names a group and its creator.
    pub fn name_group(&mut self, id: i64, title: String, creator: i64) {
        self.groups.insert(id, KnownGroup { title, creator });
    }

    /// Gives a group another id, and takes its name and members along.
    pub fn migrate(&mut self, from: i64, to: i64) {
        self.set_migrated(from, to);
        if let Some(group) = self.groups.get(&from).cloned() {
            self.groups.insert(to, group);
        }
        let moved: Vec<_> =
            self.memberships.iter().filter(|((_, chat), _)| *chat == from).map(|((bot, _), m)| (*bot, *m)).collect();
        self.memberships.extend(moved.into_iter().map(|(bot, membership)| ((bot, to), membership)));
    }

    /// From now on a group is refused under its old id.
    pub fn set_migrated(&mut self, from: i64, to: i64) {
        self.migrations.insert(from, to);
    }

    /// The new id of a group that has one.
    pub fn migrated_to(&self, id: i64) -> Option<i64> {
        self.migrations.get(&id).copied()
    }

    /// What a bot is in a chat, if anything happened there.
    pub fn membership(&self, bot: u64, id: i64) -> Option<BotMembership> {
        self.memberships.get(&(bot, id)).copied()
    }

    pub fn set_membership(&mut self, bot: u64, id: i64, membership: BotMembership) {
        self.memberships.insert((bot, id), membership);
    }

    /// Who created a group.
    pub fn creator(&self, id: i64) -> i64 {
        self.groups.get(&id).map_or(DEFAULT_CREATOR_ID, |group| group.creator)
    }

    /// What a chat answers to a message: what has happened there, or what the special ones always do.
    pub fn rejection(&self, bot: u64, id: i64) -> Option<SandboxError> {
        match self.membership(bot, id) {
            Some(BotMembership::Kicked) if id > 0 => Some(SandboxError::forbidden("bot was blocked by the user")),
            Some(BotMembership::Kicked) => {
                Some(SandboxError::forbidden(&format!("bot was kicked from the {} chat", chat_type(id))))
            }
            Some(BotMembership::Left) => {
                Some(SandboxError::forbidden(&format!("bot is not a member of the {} chat", chat_type(id))))
            }
            _ => special_rejection(id),
        }
    }

    /// A chat, as messages show it.
    pub fn json(&self, id: i64) -> Value {
        let title = || match self.groups.get(&id) {
            Some(group) => group.title.clone(),
            None => {
                let chat_type = chat_type(id);
                format!("{}{} {id}", chat_type[..1].to_ascii_uppercase(), &chat_type[1..])
            }
        };
        match chat_type(id) {
            "private" => json!({"id": id, "first_name": format!("User {id}"), "type": "private"}),
            "group" => json!({"id": id, "title": title(), "type": "group", "all_members_are_administrators": true}),
            "supergroup" => json!({"id": id, "title": title(), "is_forum": true, "type": "supergroup"}),
            chat_type => json!({"id": id, "title": title(), "type": chat_type}),
        }
    }
}

/// What the special chats answer to a message.
fn special_rejection(id: i64) -> Option<SandboxError> {
    Some(match id {
        9_000_000_400 | -9_000_000_400 => SandboxError::bad("chat not found"),
        9_000_000_403 => SandboxError::forbidden("bot was blocked by the user"),
        9_000_000_404 => SandboxError::forbidden("bot can't initiate conversation with a user"),
        9_000_000_410 => SandboxError::forbidden("user is deactivated"),
        -9_000_000_403 => SandboxError::forbidden("bot was kicked from the group chat"),
        -9_000_000_405 => SandboxError::bad("not enough rights to send photos to the chat"),
        -9_000_000_301 => SandboxError::migrated(-1_009_000_000_301),
        _ => return None,
    })
}
