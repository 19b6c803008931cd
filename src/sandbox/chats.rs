//! Who can be written to. Every positive id is a user who has started the bot, every negative one a group or supergroup
//! that it is in, every `@username` a channel, until users do something else; except these, in whose place any failure can be tried:
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

use super::error::ApiError;
use serde_json::{Value, json};
use sha2::Digest;
use std::collections::HashMap;

/// Ids from here down are supergroups and channels.
const SUPERGROUPS: i64 = -1_000_000_000_000;
/// Channels with a username get ids from here down.
const CHANNELS: i64 = -1_900_000_000_000;
/// Who created the groups of which nothing is known.
const DEFAULT_CREATOR: i64 = 1;
/// Ids have at most 52 significant bits.
const MAX_ID: u64 = 1 << 52;

/// The id that an argument means, if any.
pub(super) fn id(text: &str) -> Option<i64> {
    match text.strip_prefix('@') {
        Some(name) => {
            let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let good = (5..=32).contains(&name.len()) && fits && name.as_bytes()[0].is_ascii_alphabetic();
            let digest = sha2::Sha256::digest(name.to_ascii_lowercase());
            good.then(|| CHANNELS - i64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])))
        }
        None => text.trim().parse().ok().filter(|id: &i64| *id != 0 && id.unsigned_abs() <= MAX_ID),
    }
}

/// What the special chats answer to a message.
fn rejection(id: i64) -> Option<ApiError> {
    Some(match id {
        9_000_000_400 | -9_000_000_400 => ApiError::bad("chat not found"),
        9_000_000_403 => ApiError::forbidden("bot was blocked by the user"),
        9_000_000_404 => ApiError::forbidden("bot can't initiate conversation with a user"),
        9_000_000_410 => ApiError::forbidden("user is deactivated"),
        -9_000_000_403 => ApiError::forbidden("bot was kicked from the group chat"),
        -9_000_000_405 => ApiError::bad("not enough rights to send photos to the chat"),
        -9_000_000_301 => ApiError::migrated(-1_009_000_000_301),
        _ => return None,
    })
}

/// Whether a chat has topics; every supergroup of the sandbox is a forum that has all but the first.
pub(super) fn is_forum(id: i64) -> bool {
    id <= SUPERGROUPS && id > CHANNELS
}

/// Whether a chat is a channel, in whose messages no sender is shown.
pub(super) fn is_channel(id: i64) -> bool {
    id <= CHANNELS
}

/// What a bot is in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    Member,
    Administrator,
    Left,
    /// Out of a group, or blocked by a user.
    Kicked,
}

impl Membership {
    pub fn is_in(self) -> bool {
        matches!(self, Self::Member | Self::Administrator)
    }
}

/// What has become known about chats.
#[derive(Default)]
pub(super) struct Chats {
    groups: HashMap<i64, Group>,
    memberships: HashMap<(u64, i64), Membership>,
}

#[derive(Clone)]
struct Group {
    title: String,
    creator: i64,
}

impl Chats {
    /// Names a group and its creator.
    pub fn found(&mut self, id: i64, title: String, creator: i64) {
        self.groups.insert(id, Group { title, creator });
    }

    /// Gives a group another id.
    pub fn rename(&mut self, from: i64, to: i64) {
        if let Some(group) = self.groups.get(&from).cloned() {
            self.groups.insert(to, group);
        }
        let moved: Vec<_> =
            self.memberships.iter().filter(|((_, chat), _)| *chat == from).map(|((bot, _), m)| (*bot, *m)).collect();
        self.memberships.extend(moved.into_iter().map(|(bot, membership)| ((bot, to), membership)));
    }

    /// What a bot is in a chat, if anything happened there.
    pub fn membership(&self, bot: u64, id: i64) -> Option<Membership> {
        self.memberships.get(&(bot, id)).copied()
    }

    pub fn set_membership(&mut self, bot: u64, id: i64, membership: Membership) {
        self.memberships.insert((bot, id), membership);
    }

    /// Who created a group.
    pub fn creator(&self, id: i64) -> i64 {
        self.groups.get(&id).map_or(DEFAULT_CREATOR, |group| group.creator)
    }

    /// What a chat answers to a message: what has happened there, or what the special ones always do.
    pub fn rejection(&self, bot: u64, id: i64) -> Option<ApiError> {
        match self.membership(bot, id) {
            Some(Membership::Kicked) if id > 0 => Some(ApiError::forbidden("bot was blocked by the user")),
            Some(Membership::Kicked) => {
                Some(ApiError::forbidden(&format!("bot was kicked from the {} chat", kind(id))))
            }
            Some(Membership::Left) => {
                Some(ApiError::forbidden(&format!("bot is not a member of the {} chat", kind(id))))
            }
            _ => rejection(id),
        }
    }

    /// A chat, as messages show it.
    pub fn json(&self, id: i64) -> Value {
        let title = || match self.groups.get(&id) {
            Some(group) => group.title.clone(),
            None => {
                let kind = kind(id);
                format!("{}{} {id}", kind[..1].to_ascii_uppercase(), &kind[1..])
            }
        };
        match kind(id) {
            "private" => json!({"id": id, "first_name": format!("User {id}"), "type": "private"}),
            "group" => json!({"id": id, "title": title(), "type": "group", "all_members_are_administrators": true}),
            "supergroup" => json!({"id": id, "title": title(), "is_forum": true, "type": "supergroup"}),
            kind => json!({"id": id, "title": title(), "type": kind}),
        }
    }
}

fn kind(id: i64) -> &'static str {
    match id {
        1.. => "private",
        _ if is_channel(id) => "channel",
        _ if id <= SUPERGROUPS => "supergroup",
        _ => "group",
    }
}

/// A user, as messages show it.
pub(super) fn user_json(id: i64) -> Value {
    json!({"id": id, "is_bot": false, "first_name": format!("User {id}"), "language_code": "en"})
}

/// A `ChatMember` that is not the creator.
pub(super) fn member_json(user: Value, membership: Membership) -> Value {
    match membership {
        Membership::Member => json!({"user": user, "status": "member"}),
        Membership::Left => json!({"user": user, "status": "left"}),
        Membership::Kicked => json!({"user": user, "status": "kicked", "until_date": 0}),
        Membership::Administrator => {
            let mut member = json!({"user": user, "status": "administrator"});
            for right in ["can_be_edited", "is_anonymous", "can_promote_members", "can_manage_topics"] {
                member[right] = false.into();
            }
            for right in [
                "can_manage_chat",
                "can_delete_messages",
                "can_manage_video_chats",
                "can_restrict_members",
                "can_change_info",
                "can_invite_users",
                "can_post_stories",
                "can_edit_stories",
                "can_delete_stories",
                "can_pin_messages",
                "can_send_welcome_messages",
            ] {
                member[right] = true.into();
            }
            member
        }
    }
}

/// A bot, as messages and `getMe` show it.
pub(super) fn bot_json(id: u64) -> Value {
    json!({"id": id, "is_bot": true, "first_name": format!("Sandbox bot {id}"), "username": format!("sandbox_{id}_bot")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_usernames_are_read_and_garbage_is_not() {
        assert_eq!(id("12"), Some(12));
        assert_eq!(id("-1001234567890"), Some(-1_001_234_567_890));
        assert_eq!(id("@channel_name"), id("@Channel_Name"));
        assert_eq!(kind(id("@channel_name").unwrap()), "channel");
        for bad in ["", "0", "abc", "@", "@1abc", "@abc", "@channel-name", "99999999999999999999", "12.5"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
