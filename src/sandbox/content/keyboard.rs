//! Keyboards: what `reply_markup` may be.

use crate::sandbox::arguments::{Json, JsonObject};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::Value;

/// The longest `callback_data` (Bot API).
const MAX_CALLBACK_DATA_BYTES: usize = 64;
/// What a button can do; one of these is needed beside its text.
const BUTTON_ACTIONS: &str = "url callback_data web_app login_url switch_inline_query switch_inline_query_current_chat \
    switch_inline_query_chosen_chat copy_text pay";

/// Checks a `reply_markup`; empty if there is none. Gives an inline keyboard back, which becomes part of the message.
pub fn check_reply_markup(text: &[u8]) -> ApiResult<Option<Box<Value>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let value = Json::parse(text).ok_or_else(|| SandboxError::bad("can't parse reply keyboard markup JSON object"))?;
    let Json::Object(markup) = &value else { return Err(SandboxError::bad("object expected as reply markup")) };
    rows(markup, "keyboard", "must be an Array of Arrays", &|button| match button {
        Json::String(_) => Ok(()),
        Json::Object(button) => wrapped("keyboard", button.required_word("text").map(|_| ())),
        _ => wrapped("keyboard", Err("KeyboardButton must be a String or an Object".to_owned())),
    })?;
    let inline = "of the InlineKeyboardMarkup must be an Array of Arrays";
    let has_rows = rows(markup, "inline_keyboard", inline, &inline_button)?;
    for name in ["hide_keyboard", "remove_keyboard", "selective", "force_reply"] {
        markup.flag(name).map_err(|why| SandboxError::sentence(&why))?;
    }
    markup.word("input_field_placeholder").map_err(|why| SandboxError::sentence(&why))?;
    Ok(has_rows.then(|| Box::new(value.to_value())))
}

/// Checks the buttons of a keyboard, if there is one; says whether it has rows.
fn rows(markup: &JsonObject, name: &str, must: &str, check: &dyn Fn(&Json) -> ApiResult<()>) -> ApiResult<bool> {
    let rows = match markup.get(name) {
        None => return Ok(false),
        Some(Json::Array(rows)) => rows,
        Some(_) => return Err(SandboxError::bad(format!("field \"{name}\" must be of type Array"))),
    };
    for row in rows {
        let Json::Array(row) = row else {
            return Err(SandboxError::bad(format!("field \"{name}\" {must}")));
        };
        row.iter().try_for_each(check)?;
    }
    Ok(!rows.is_empty())
}

fn wrapped<T>(kind: &str, result: Result<T, String>) -> ApiResult<T> {
    result.map_err(|why| SandboxError::bad(format!("can't parse {kind} button: {why}")))
}

fn inline_button(button: &Json) -> ApiResult<()> {
    const KIND: &str = "inline keyboard";
    let Json::Object(button) = button else {
        return wrapped(KIND, Err("InlineKeyboardButton must be an Object".to_owned()));
    };
    let text = wrapped(KIND, button.required_word("text").and_then(|_| button.text("text")))?;
    if !BUTTON_ACTIONS.split(' ').any(|action| button.get(action).is_some()) {
        return wrapped(KIND, Err("Text buttons are unallowed in the inline keyboard".to_owned()));
    }
    let data = wrapped(KIND, button.text("callback_data"))?;
    let url = wrapped(KIND, button.word("url"))?;
    if std::str::from_utf8(&text).is_err() {
        return Err(SandboxError::bad("inline keyboard button text must be encoded in UTF-8"));
    }
    if button.get("callback_data").is_some() && (data.is_empty() || data.len() > MAX_CALLBACK_DATA_BYTES) {
        return Err(SandboxError::bad("BUTTON_DATA_INVALID"));
    }
    let schemes = ["http://", "https://", "tg://"];
    let is_foreign = url.contains("://") && !schemes.iter().any(|scheme| url.starts_with(scheme));
    if button.get("url").is_some() && (is_foreign || url.is_empty()) {
        return Err(SandboxError::bad("BUTTON_URL_INVALID"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyboards_are_checked_in_telegrams_words() {
        assert_eq!(check_reply_markup(b""), Ok(None));
        let good = r#"{"inline_keyboard":[[{"text":"Open","url":"https://example.com"}]]}"#;
        assert_eq!(check_reply_markup(good.as_bytes()).unwrap().unwrap().to_string(), good);
        assert_eq!(check_reply_markup(br#"{"remove_keyboard":true}"#), Ok(None));
        for (markup, says) in [
            ("{", "can't parse reply keyboard markup JSON object"),
            ("null", "object expected as reply markup"),
            (r#"{"inline_keyboard":[[{"text":"x"}]]}"#, "Text buttons are unallowed in the inline keyboard"),
            (r#"{"inline_keyboard":[[{"callback_data":"x"}]]}"#, "Can't find field \"text\""),
            (r#"{"inline_keyboard":[[{"text":"x","url":"ftp://x"}]]}"#, "BUTTON_URL_INVALID"),
            (r#"{"inline_keyboard":{}}"#, "must be of type Array"),
            (r#"{"inline_keyboard":[{}]}"#, "must be an Array of Arrays"),
            (r#"{"inline_keyboard":[[{"text":"\ud83d","url":"x"}]]}"#, "button text must be encoded in UTF-8"),
            (r#"{"remove_keyboard":"yes"}"#, "field \"remove_keyboard\" must be of type Boolean"),
        ] {
            let error = check_reply_markup(markup.as_bytes()).unwrap_err().description;
            assert!(error.starts_with("Bad Request: ") && error.contains(says), "{error}");
        }
        let long = format!(r#"{{"inline_keyboard":[[{{"text":"x","callback_data":"{}"}}]]}}"#, "x".repeat(65));
        assert_eq!(check_reply_markup(long.as_bytes()).unwrap_err().description, "Bad Request: BUTTON_DATA_INVALID");
    }
}
