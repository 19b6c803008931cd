//! Users, bots and members of chats as the Bot API shows them.

use serde_json::{Value, json};

/// The rights that a bot has as an administrator, and those that it has not (Bot API).
const GRANTED_RIGHTS: &str = "can_manage_chat can_delete_messages can_manage_video_chats can_restrict_members \
    can_change_info can_invite_users can_post_stories can_edit_stories can_delete_stories can_pin_messages \
    can_send_welcome_messages";
const WITHHELD_RIGHTS: &str = "can_be_edited is_anonymous can_promote_members can_manage_topics";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BotMembership {
    Member,
    Administrator,
    Left,
    /// Out of a group, or blocked by a user.
    Kicked,
}

impl BotMembership {
    pub fn is_in(self) -> bool {
        matches!(self, Self::Member | Self::Administrator)
    }
}

/// A user, as messages show it.
pub fn user_json(id: i64) -> Value {
    json!({"id": id, "is_bot": false, "first_name": format!("User {id}"), "language_code": "en"})
}

/// A `ChatMember` that is not the creator.
pub fn member_json(user: Value, membership: BotMembership) -> Value {
    match membership {
        BotMembership::Member => json!({"user": user, "status": "member"}),
        BotMembership::Left => json!({"user": user, "status": "left"}),
        BotMembership::Kicked => json!({"user": user, "status": "kicked", "until_date": 0}),
        BotMembership::Administrator => {
            let mut member = json!({"user": user, "status": "administrator"});
            for (rights, granted) in [(WITHHELD_RIGHTS, false), (GRANTED_RIGHTS, true)] {
                rights.split(' ').for_each(|right| member[right] = granted.into());
            }
            member
        }
    }
}

/// A bot, as messages and `getMe` show it.
pub fn bot_json(id: u64) -> Value {
    json!({"id": id, "is_bot": true, "first_name": format!("Sandbox bot {id}"), "username": format!("sandbox_{id}_bot")})
}
