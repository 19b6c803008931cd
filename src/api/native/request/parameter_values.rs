//! Reads and checks the parameters of [`super::parameters`].

use super::fields::Fields;
use super::keyboard;
use super::parameters::{CAPTION_LIMIT_UTF16, MARKUP_LIMIT_BYTES, PARAMETERS, Parameter, ParameterType};
use crate::domain::markup::clean_text;
use crate::intake::rejection::{ProblemCode, Rejection};
use serde_json::{Map, Value};

/// Takes the parameters that `is_wanted` selects, except files. `any_length`: captions may be longer than Telegram takes.
pub fn read(
    fields: &mut Fields,
    any_length: bool,
    is_wanted: impl Fn(&Parameter) -> bool,
) -> Result<Map<String, Value>, Rejection> {
    let mut params = Map::new();
    for parameter in PARAMETERS.iter().filter(|parameter| is_wanted(parameter)) {
        let name = parameter.name;
        let value = match parameter.value_type {
            ParameterType::Flag => fields.flag(name)?,
            ParameterType::Number(least, most) => fields.number(name, least, most)?,
            ParameterType::Word => fields.short_text(name)?.map(Value::String),
            ParameterType::Object => fields.object(name)?.map(Value::Object),
            ParameterType::ParseMode => parse_mode(fields)?.map(Value::from),
            ParameterType::Entities => entities(fields, name)?.map(Value::Array),
            ParameterType::Keyboard => keyboard::read(fields)?.map(Value::Object),
            ParameterType::Reply => reply_parameters(fields)?.map(Value::Object),
            ParameterType::Caption => {
                let has_markup = params.contains_key("parse_mode");
                let caption = fields.text(name)?;
                if let Some(text) = caption.as_ref().filter(|_| !any_length) {
                    check_length(name, text, has_markup, CAPTION_LIMIT_UTF16)?;
                }
                caption.map(Value::String)
            }
            ParameterType::File => None,
        };
        if let Some(value) = value {
            params.insert(name.to_owned(), value);
        }
    }
    if params.contains_key("reply_parameters") && params.contains_key("reply_to_message_id") {
        return Err(Rejection::invalid(
            "reply_to_message_id",
            "is the short form of reply_parameters: give one of the two",
        ));
    }
    Ok(params)
}

/// Rejects a caption or text that Telegram would reject for its length, which it counts without the white space at the ends
/// and what it drops; `limit` in UTF-16 units.
pub fn check_length(name: &str, text: &str, has_markup: bool, limit: usize) -> Result<(), Rejection> {
    let (units, bytes) = (clean_text(text).encode_utf16().count(), text.len());
    let over = if has_markup && bytes > MARKUP_LIMIT_BYTES {
        format!("has {bytes} bytes, and Telegram takes {MARKUP_LIMIT_BYTES} before parsing")
    } else if !has_markup && units > limit {
        format!("has {units} UTF-16 units, and Telegram takes {limit}")
    } else {
        return Ok(());
    };
    let code = if name == "text" { ProblemCode::TextTooLong } else { ProblemCode::CaptionTooLong };
    let detail = format!("The {name} {over}. Shorten it, or let long_caption: split send the rest in replies.");
    Err(Rejection::field(code, name, detail))
}

fn parse_mode(fields: &mut Fields) -> Result<Option<&'static str>, Rejection> {
    const MODES: [&str; 3] = ["HTML", "Markdown", "MarkdownV2"];
    let Some(text) = fields.text("parse_mode")? else { return Ok(None) };
    let mode = MODES.into_iter().find(|mode| mode.eq_ignore_ascii_case(&text));
    mode.map(Some).ok_or_else(|| {
        Rejection::invalid("parse_mode", "is one of HTML, MarkdownV2, Markdown; leave it out for plain text")
    })
}

fn entities(fields: &mut Fields, name: &str) -> Result<Option<Vec<Value>>, Rejection> {
    let Some(entities) = fields.array(name)? else { return Ok(None) };
    let whole = |value: Option<&Value>, least: i64| value.and_then(Value::as_i64).is_some_and(|n| n >= least);
    let fits = |entity: &Value| {
        entity.get("type").is_some_and(Value::is_string)
            && whole(entity.get("offset"), 0)
            && whole(entity.get("length"), 1)
    };
    if entities.iter().all(fits) {
        Ok(Some(entities))
    } else {
        Err(Rejection::invalid(name, "is an array of objects with a type, an offset and a length in UTF-16 units"))
    }
}

/// Unknown members pass: Telegram may have added them.
fn reply_parameters(fields: &mut Fields) -> Result<Option<Map<String, Value>>, Rejection> {
    let Some(reply) = fields.object("reply_parameters")? else { return Ok(None) };
    let fits = |number: i64| (1..=i64::from(i32::MAX)).contains(&number);
    let numbered = reply.get("message_id").and_then(Value::as_i64).is_some_and(fits);
    if numbered || (reply.get("message_id").is_none() && reply.contains_key("ephemeral_message_id")) {
        Ok(Some(reply))
    } else {
        Err(Rejection::invalid(
            "reply_parameters.message_id",
            "is the number of the message to reply to, from 1 to 2147483647",
        ))
    }
}
