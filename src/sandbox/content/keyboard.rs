//! Keyboards: what `reply_markup` may be.

use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Map, Value};

/// The longest `callback_data` (Bot API).
const MAX_CALLBACK_DATA_BYTES: usize = 64;
/// What a button can do; one of these is needed beside its text.
const BUTTON_ACTIONS: &str = "url callback_data web_app login_url switch_inline_query switch_inline_query_current_chat \
    switch_inline_query_chosen_chat copy_text pay";

/// Checks a `reply_markup`. Gives an inline keyboard back, which becomes part of the message.
pub fn check_reply_markup(text: Option<&str>) -> ApiResult<Option<Box<Value>>> {
    let Some(text) = text else { return Ok(None) };
    let value: Value =
        serde_json::from_str(text).map_err(|_| SandboxError::bad("can't parse reply keyboard markup JSON object"))?;
    let Value::Object(markup) = &value else { return Err(SandboxError::bad("object expected as reply markup")) };
    if let Some(keyboard) = markup.get("inline_keyboard") {
        rows(keyboard, "inline keyboard", &inline_button)?;
        return Ok(Some(Box::new(value)));
    }
    if let Some(keyboard) = markup.get("keyboard") {
        rows(keyboard, "keyboard", &|button| match button {
            Value::String(_) => Ok(()),
            Value::Object(button) if button.get("text").is_some_and(Value::is_string) => Ok(()),
            _ => Err(SandboxError::bad("can't parse keyboard button: Can't find field \"text\"")),
        })?;
    }
    Ok(None)
}

fn rows(keyboard: &Value, name: &str, check: &dyn Fn(&Value) -> ApiResult<()>) -> ApiResult<()> {
    let Value::Array(rows) = keyboard else {
        let field = name.replace(' ', "_");
        return Err(SandboxError::bad(format!("field \"{field}\" must be of type Array")));
    };
    for row in rows {
        let Value::Array(row) = row else {
            return Err(SandboxError::bad(format!("can't parse {name} row: row must be an Array of buttons")));
        };
        row.iter().try_for_each(check)?;
    }
    Ok(())
}

fn inline_button(button: &Value) -> ApiResult<()> {
    let wrong = |why: &str| SandboxError::bad(format!("can't parse inline keyboard button: {why}"));
    let Value::Object(button) = button else { return Err(wrong("InlineKeyboardButton must be an Object")) };
    match button.get("text") {
        None => return Err(wrong("Can't find field \"text\"")),
        Some(Value::String(_)) => {}
        Some(_) => return Err(wrong("Field \"text\" must be of type String")),
    }
    if !BUTTON_ACTIONS.split(' ').any(|action| button.contains_key(action)) {
        return Err(wrong("Text buttons are unallowed in the inline keyboard"));
    }
    if text(button, "callback_data").is_some_and(|data| data.is_empty() || data.len() > MAX_CALLBACK_DATA_BYTES) {
        return Err(SandboxError::bad("BUTTON_DATA_INVALID"));
    }
    let schemes = ["http://", "https://", "tg://"];
    if text(button, "url")
        .is_some_and(|url| url.contains("://") && !schemes.iter().any(|s| url.starts_with(s)) || url.is_empty())
    {
        return Err(SandboxError::bad("BUTTON_URL_INVALID"));
    }
    Ok(())
}

fn text<'a>(button: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    button.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyboards_are_checked_in_telegrams_words() {
        assert_eq!(check_reply_markup(None), Ok(None));
        let good = r#"{"inline_keyboard":[[{"text":"Open","url":"https://example.com"}]]}"#;
        assert_eq!(check_reply_markup(Some(good)).unwrap().unwrap().to_string(), good);
        assert_eq!(check_reply_markup(Some(r#"{"remove_keyboard":true}"#)), Ok(None));
        for (markup, says) in [
            ("{", "can't parse reply keyboard markup JSON object"),
            ("null", "object expected as reply markup"),
            (r#"{"inline_keyboard":[[{"text":"x"}]]}"#, "Text buttons are unallowed in the inline keyboard"),
            (r#"{"inline_keyboard":[[{"callback_data":"x"}]]}"#, "Can't find field \"text\""),
            (r#"{"inline_keyboard":[[{"text":"x","url":"ftp://x"}]]}"#, "BUTTON_URL_INVALID"),
            (r#"{"inline_keyboard":{}}"#, "must be of type Array"),
        ] {
            let error = check_reply_markup(Some(markup)).unwrap_err().description;
            assert!(error.starts_with("Bad Request: ") && error.contains(says), "{error}");
        }
        let long = format!(r#"{{"inline_keyboard":[[{{"text":"x","callback_data":"{}"}}]]}}"#, "x".repeat(65));
        assert_eq!(check_reply_markup(Some(&long)).unwrap_err().description, "Bad Request: BUTTON_DATA_INVALID");
    }
}
