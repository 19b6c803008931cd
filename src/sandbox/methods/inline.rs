//! `answerInlineQuery`.

use super::call::SandboxCall;
use crate::sandbox::arguments::{Json, JsonObject};
use crate::sandbox::content::{check_reply_markup, checked_caption, checked_text, parse_field};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use crate::sandbox::updates::{FILE_RESULTS, InlineAnswer};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The most results of an answer (Bot API).
const MAX_RESULTS: usize = 50;
/// The longest id of a result, and the longest offset (Bot API).
const MAX_ID_BYTES: usize = 64;
/// The longest that an answer may be kept (Bot API server).
const MAX_CACHE_SECONDS: i64 = 86_400;
/// The results that show no file, and what they must have (Bot API).
const OTHER_RESULTS: [(&str, &[&str]); 5] = [
    ("article", &["title", "input_message_content"]),
    ("contact", &["phone_number", "first_name"]),
    ("game", &["game_short_name"]),
    ("location", &["latitude", "longitude", "title"]),
    ("venue", &["latitude", "longitude", "title", "address"]),
];

/// Checks the results and takes note of the answer.
pub fn answer_inline_query(call: &SandboxCall) -> ApiResult<Value> {
    let arguments = &call.arguments;
    let button = arguments.text("button").map(serde_json::from_str::<Value>).transpose();
    let button = button.map_err(|_| SandboxError::bad("can't parse inline query results button JSON object"))?;
    let results = match serde_json::from_str(arguments.text("results").unwrap_or("[]")) {
        Ok(Value::Array(results)) => results,
        Ok(Value::Null) => Vec::new(),
        Ok(_) => return Err(SandboxError::bad("expected an Array of inline query results")),
        Err(_) => return Err(SandboxError::bad("can't parse JSON encoded inline query results")),
    };
    if results.len() > MAX_RESULTS {
        return Err(SandboxError::bad("too many inline query results specified"));
    }
    let mut ids = HashSet::new();
    for value in &results {
        let id = check(call, value)?;
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(SandboxError::bad("RESULT_ID_INVALID"));
        }
        if !ids.insert(id) {
            return Err(SandboxError::bad("RESULT_ID_DUPLICATE"));
        }
    }
    let next_offset = arguments.text("next_offset").unwrap_or("").to_owned();
    if next_offset.len() > MAX_ID_BYTES {
        return Err(SandboxError::bad("NEXT_OFFSET_INVALID"));
    }
    let cache_time = arguments.integer("cache_time").unwrap_or(300).clamp(0, MAX_CACHE_SECONDS);
    let answer = InlineAnswer { results, cache_time, is_personal: arguments.flag("is_personal"), next_offset, button };
    let id = arguments.text("inline_query_id").unwrap_or("");
    let mut queries = call.state.inline_queries.lock();
    let query = queries.get_mut(id).filter(|query| query.bot == call.bot);
    let query = query
        .ok_or_else(|| SandboxError::bad("query is too old and response timeout expired or query ID is invalid"))?;
    query.answer = Some(answer);
    Ok(true.into())
}

/// Checks a result; gives its id.
fn check<'a>(call: &SandboxCall, value: &'a Value) -> ApiResult<&'a str> {
    let wrong = |why: String| SandboxError::bad(format!("can't parse inline query result: {why}"));
    let Value::Object(result) = value else { return Err(wrong("Inline query result must be an object".into())) };
    let has = |name: &str| result.get(name).is_some_and(|value| *value != "");
    let need = |name: &str| if has(name) { Ok(()) } else { Err(wrong(format!("Can't find field \"{name}\""))) };
    let kind = text_field(result, "type").to_ascii_lowercase();
    need("type")?;
    if !result.contains_key("id") {
        need("id")?;
    }
    caption(result)?;
    if let Some(markup) = result.get("reply_markup") {
        check_reply_markup(markup.to_string().as_bytes())?;
    }
    if let Some((_, needed)) = OTHER_RESULTS.iter().find(|other| other.0 == kind) {
        let old_text = |name: &str| name == "input_message_content" && has("message_text");
        needed.iter().filter(|name| !old_text(name)).try_for_each(|name| need(name))?;
        return Ok(text_field(result, "id"));
    }
    let Some((_, url, file_id, as_kind)) = FILE_RESULTS.into_iter().find(|file| file.0 == kind) else {
        return Err(wrong(format!("type \"{kind}\" is unsupported for the inline query result")));
    };
    if ["document", "video", "voice"].contains(&kind.as_str()) {
        need("title")?;
    }
    if !has(url) {
        need(file_id)?;
        call.state.files.check_file_id(call.bot, text_field(result, file_id), as_kind)?;
        return Ok(text_field(result, "id"));
    }
    for (name, kinds) in [("mime_type", &["document", "video"][..]), ("title", &["audio"])] {
        if kinds.contains(&kind.as_str()) {
            need(name)?;
        }
    }
    if !["http://", "https://"].iter().any(|scheme| text_field(result, url).starts_with(scheme)) {
        return Err(SandboxError::bad("WEBDOCUMENT_URL_INVALID"));
    }
    if kind == "photo" && !has("thumbnail_url") && !has("thumb_url") {
        return Err(SandboxError::bad("PHOTO_THUMB_URL_EMPTY"));
    }
    Ok(text_field(result, "id"))
}

/// Checks the caption, or the text that is sent in place of the file.
fn caption(result: &Map<String, Value>) -> ApiResult<()> {
    let object = |value: &Map<String, Value>| match Json::from(&Value::Object(value.clone())) {
        Json::Object(object) => object,
        _ => JsonObject::default(),
    };
    let wrong = |why: String| SandboxError::bad(format!("can't parse inline query result: {why}"));
    checked_caption(parse_field(&object(result), "caption", "caption_entities").map_err(wrong)?)?;
    if let Some(Value::Object(content)) = result.get("input_message_content")
        && content.contains_key("message_text")
    {
        checked_text(parse_field(&object(content), "message_text", "entities").map_err(wrong)?)?;
    }
    Ok(())
}

/// A text of a JSON object; empty if there is none.
fn text_field<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}
