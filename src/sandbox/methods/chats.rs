//! What bots ask about chats and about themselves.

use super::call::SandboxCall;
use crate::sandbox::chats::{BotMembership, bot_json, member_json, user_json};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Value, json};

/// What a bot may say that it does (Bot API).
const ACTIONS: &str = "typing upload_photo record_video upload_video record_voice upload_voice upload_document \
    choose_sticker find_location record_video_note upload_video_note";

pub fn get_me(call: &SandboxCall) -> Value {
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

pub fn send_chat_action(call: &SandboxCall) -> ApiResult<Value> {
    let action = call.arguments.text("action").unwrap_or("").to_ascii_lowercase();
    if !ACTIONS.split(' ').any(|known| known == action) {
        return Err(SandboxError::bad("wrong parameter action in request"));
    }
    call.chat(true).map(|_| true.into())
}

pub fn get_chat(call: &SandboxCall) -> ApiResult<Value> {
    let id = call.chat(true)?;
    let mut chat = call.state.chats.lock().json(id);
    chat["accent_color_id"] = 0.into();
    chat["max_reaction_count"] = 11.into();
    let gifts = ["unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"];
    chat["accepted_gift_types"] = gifts.iter().map(|kind| ((*kind).to_owned(), Value::Bool(false))).collect();
    Ok(chat)
}

/// `getChatAdministrators`: the creator, and the bot if it is one.
pub fn get_chat_administrators(call: &SandboxCall) -> ApiResult<Value> {
    let id = call.chat(true)?;
    if id > 0 {
        return Err(SandboxError::bad("there are no administrators in the private chat"));
    }
    let chats = call.state.chats.lock();
    let mut members = vec![creator(chats.creator(id))];
    if chats.membership(call.bot, id) == Some(BotMembership::Administrator) {
        members.push(member_json(bot_json(call.bot), BotMembership::Administrator));
    }
    Ok(Value::Array(members))
}

/// `getChatMember`: whoever is asked for is one.
pub fn get_chat_member(call: &SandboxCall) -> ApiResult<Value> {
    let user = call.arguments.integer("user_id").filter(|id| *id > 0);
    let user = user.ok_or_else(|| SandboxError::bad("invalid user_id specified"))?;
    let id = call.chat(true)?;
    let chats = call.state.chats.lock();
    if u64::try_from(user).is_ok_and(|user| user == call.bot) {
        let membership = chats.membership(call.bot, id).unwrap_or(BotMembership::Member);
        return Ok(member_json(bot_json(call.bot), membership));
    }
    let created = id < 0 && chats.creator(id) == user;
    Ok(if created { creator(user) } else { member_json(user_json(user), BotMembership::Member) })
}

pub fn get_chat_member_count(call: &SandboxCall) -> ApiResult<Value> {
    call.chat(true).map(|_| 2.into())
}

pub fn leave_chat(call: &SandboxCall) -> ApiResult<Value> {
    let id = call.chat(true)?;
    if id > 0 {
        return Err(SandboxError::bad("can't leave private chat"));
    }
    call.state.chats.lock().set_membership(call.bot, id, BotMembership::Left);
    Ok(true.into())
}

/// `setMyCommands`, for all scopes and languages alike.
pub fn set_my_commands(call: &SandboxCall) -> ApiResult<Value> {
    let text = call.arguments.text("commands").unwrap_or("[]");
    let commands: Value =
        serde_json::from_str(text).map_err(|_| SandboxError::bad("can't parse commands JSON object"))?;
    if !commands.is_array() {
        return Err(SandboxError::bad("expected an Array of BotCommand"));
    }
    call.state.commands.lock().insert(call.bot, commands);
    Ok(true.into())
}

pub fn get_my_commands(call: &SandboxCall) -> Value {
    call.state.commands.lock().get(&call.bot).cloned().unwrap_or_else(|| json!([]))
}

pub fn delete_my_commands(call: &SandboxCall) -> Value {
    call.state.commands.lock().remove(&call.bot);
    true.into()
}

fn creator(id: i64) -> Value {
    json!({"user": user_json(id), "status": "creator", "is_anonymous": false})
}
