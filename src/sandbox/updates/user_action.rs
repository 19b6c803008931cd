//! What users do, as it is asked of the sandbox.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a user does. The chat is the user's private chat with the bot unless one is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UserAction {
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
pub struct UserActionResult {
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
