//! Users, groups and channels: who can be written to, what the bots are in them, and how they are shown.

mod chat_id;
mod directory;
mod profiles;

pub use chat_id::{is_channel, is_forum, parse_chat_id};
pub use directory::ChatDirectory;
pub use profiles::{BotMembership, bot_json, member_json, user_json};
