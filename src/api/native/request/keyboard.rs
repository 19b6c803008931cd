//! Checks the buttons below a message.

use super::fields::Fields;
use crate::intake::rejection::Rejection;
use serde_json::{Map, Value};

/// How long the callback_data of a button may be (Bot API).
const CALLBACK_DATA_LIMIT_BYTES: usize = 64;
/// What a button below a message can do (Bot API, InlineKeyboardButton).
const BUTTON_ACTIONS: [&str; 10] = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
];

/// Takes `reply_markup`, an object of one of Telegram's four kinds.
pub fn read(fields: &mut Fields) -> Result<Option<Map<String, Value>>, Rejection> {
    const KINDS: [&str; 4] = ["inline_keyboard", "keyboard", "remove_keyboard", "force_reply"];
    let Some(markup) = fields.object("reply_markup")? else { return Ok(None) };
    if KINDS.iter().filter(|kind| markup.contains_key(**kind)).count() != 1 {
        return Err(Rejection::invalid(
            "reply_markup",
            &format!("has exactly one of {}; leave it out for no keyboard", KINDS.join(", ")),
        ));
    }
    for (name, is_inline) in [("inline_keyboard", true), ("keyboard", false)] {
        let Some(rows) = markup.get(name) else { continue };
        let field = format!("reply_markup.{name}");
        let rows: Option<Vec<&Vec<Value>>> =
            rows.as_array().and_then(|rows| rows.iter().map(Value::as_array).collect());
        let rows = rows.ok_or_else(|| Rejection::invalid(&field, "is an array of rows, each an array of buttons"))?;
        for button in rows.into_iter().flatten() {
            check_button(button, is_inline).map_err(|what| Rejection::invalid(&field, what))?;
        }
    }
    Ok(Some(markup))
}

fn check_button(button: &Value, is_inline: bool) -> Result<(), &'static str> {
    let has_text = button.get("text").is_some_and(Value::is_string);
    if !has_text && (is_inline || !button.is_string()) {
        return Err("has a button without a text");
    }
    if is_inline && !BUTTON_ACTIONS.iter().any(|action| button.get(action).is_some_and(|value| !value.is_null())) {
        return Err("has a button that does nothing: give it url, callback_data or another action");
    }
    match button.get("callback_data") {
        Some(Value::String(data)) if data.len() > CALLBACK_DATA_LIMIT_BYTES => {
            Err("has a button with over 64 bytes of callback_data")
        }
        None | Some(Value::String(_) | Value::Null) => Ok(()),
        Some(_) if is_inline => Err("has a button whose callback_data is not a string"),
        Some(_) => Ok(()),
    }
}
