//! What bots ask about chats and themselves.

use super::super::call::Call;
use super::super::chats::{Membership, bot_json, member_json, user_json};
use super::super::error::ApiError;
use serde_json::{Value, json};

const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

/// `getMe`.
pub(super) fn me(call: &Call) -> Value {
    let mut me = bot_json(call.bot);
    for (name, able) in [
        ("can_join_groups", true),
        ("can_read_all_group_messages", false),
        ("supports_inline_queries", true),
        ("can_connect_to_business", false),
        ("has_main_web_app", false),
    ] {
        me[name] = able.into();
    }
    me
}

/// `sendChatAction`.
pub(super) fn action(call: &Call) -> Result<Value, ApiError> {
    let action = call.arguments.text("action").unwrap_or("").to_ascii_lowercase();
    if !ACTIONS.contains(&action.as_str()) {
        return Err(ApiError::bad("wrong parameter action in request"));
    }
    super::chat(call, true).map(|_| true.into())
}

/// `getChat`.
pub(super) fn get(call: &Call) -> Result<Value, ApiError> {
    let id = super::chat(call, true)?;
    let mut chat = call.state.desk().chats.json(id);
    chat["accent_color_id"] = 0.into();
    chat["max_reaction_count"] = 11.into();
    let gifts = ["unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"];
    chat["accepted_gift_types"] = gifts.iter().map(|kind| ((*kind).to_owned(), Value::Bool(false))).collect();
    Ok(chat)
}

/// `getChatAdministrators`: the creator, and the bot if it is one.
pub(super) fn administrators(call: &Call) -> Result<Value, ApiError> {
    let id = super::chat(call, true)?;
    if id > 0 {
        return Err(ApiError::bad("there are no administrators in the private chat"));
    }
    let desk = call.state.desk();
    let mut members = vec![creator(desk.chats.creator(id))];
    if desk.chats.membership(call.bot, id) == Some(Membership::Administrator) {
        members.push(member_json(bot_json(call.bot), Membership::Administrator));
    }
    Ok(Value::Array(members))
}

/// `getChatMember`: whoever is asked for is one.
pub(super) fn member(call: &Call) -> Result<Value, ApiError> {
    let user = call.arguments.integer("user_id").filter(|id| *id > 0);
    let user = user.ok_or_else(|| ApiError::bad("invalid user_id specified"))?;
    let id = super::chat(call, true)?;
    let desk = call.state.desk();
    if u64::try_from(user).is_ok_and(|user| user == call.bot) {
        let membership = desk.chats.membership(call.bot, id).unwrap_or(Membership::Member);
        return Ok(member_json(bot_json(call.bot), membership));
    }
    let created = id < 0 && desk.chats.creator(id) == user;
    Ok(if created { creator(user) } else { member_json(user_json(user), Membership::Member) })
}

/// `getChatMemberCount`.
pub(super) fn member_count(call: &Call) -> Result<Value, ApiError> {
    super::chat(call, true).map(|_| 2.into())
}

/// `leaveChat`.
pub(super) fn leave(call: &Call) -> Result<Value, ApiError> {
    let id = super::chat(call, true)?;
    if id > 0 {
        return Err(ApiError::bad("can't leave private chat"));
    }
    call.state.desk().chats.set_membership(call.bot, id, Membership::Left);
    Ok(true.into())
}

/// `setMyCommands`, for all scopes and languages alike.
pub(super) fn set_commands(call: &Call) -> Result<Value, ApiError> {
    let text = call.arguments.text("commands").unwrap_or("[]");
    let commands: Value = serde_json::from_str(text).map_err(|_| ApiError::bad("can't parse commands JSON object"))?;
    if !commands.is_array() {
        return Err(ApiError::bad("expected an Array of BotCommand"));
    }
    call.state.desk().commands.insert(call.bot, commands);
    Ok(true.into())
}

/// `getMyCommands`.
pub(super) fn commands(call: &Call) -> Value {
    call.state.desk().commands.get(&call.bot).cloned().unwrap_or_else(|| json!([]))
}

/// `deleteMyCommands`.
pub(super) fn delete_commands(call: &Call) -> Value {
    call.state.desk().commands.remove(&call.bot);
    true.into()
}

fn creator(id: i64) -> Value {
    json!({"user": user_json(id), "status": "creator", "is_anonymous": false})
}
