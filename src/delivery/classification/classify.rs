//! Classifies every answer of Telegram, and every missing answer, as exactly one [`Verdict`].
//!
//! Telegram does not document its error strings as a contract, so fields come first, then numbers, then substrings in
//! any case; an answer that nobody knows is permanent, so that it is not tried for ever.

use super::descriptions::{CONFIGURATION, CONTENT, FILE_ID, NOT_MODIFIED, RECIPIENT, TRANSIENT};
use super::verdict::{Classification, Verdict};
use crate::domain::FailureClass;
use crate::ports::{ApiReply, CallError, MessengerResponse};
use serde_json::Value;
use std::time::Duration;

/// Telegram's words in a record are cut to this many characters.
const MAX_REASON_CHARS: usize = 500;
/// The wait when a 429 names none.
const DEFAULT_FLOOD_WAIT: Duration = Duration::from_secs(5);
/// A `retry_after` beyond this is not believed: the longest seen was under three hours.
const MAX_FLOOD_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Says what the result of a call means. `by_remembered_id`: an image was sent by a file_id of ours, and we hold its
/// bytes.
pub fn classify(result: Result<MessengerResponse, CallError>, by_remembered_id: bool) -> Classification {
    match result {
        Err(error) => {
            let verdict = match error {
                CallError::NotSent(_) => Verdict::Unreachable,
                CallError::MaybeSent(_) => Verdict::Ambiguous,
                CallError::Content(_) => Verdict::Unreadable,
            };
            Classification { verdict, error_code: None, reason: Some(cut(&error.to_string())), result: None }
        }
        Ok(answer) => classify_response(answer, by_remembered_id),
    }
}

fn classify_response(mut answer: MessengerResponse, by_remembered_id: bool) -> Classification {
    let Some(mut reply) = answer.reply.take() else {
        let verdict = match answer.status {
            // A success whose body cannot be read: the message was probably sent.
            200..300 => Verdict::Ambiguous,
            429 => Verdict::FloodWait(flood_wait(answer.retry_after)),
            // A proxy in between, wrongly addressed or asking for credentials.
            300..=399 | 401 | 404 | 407 | 421 => Verdict::Configuration,
            413 => Verdict::Permanent(FailureClass::Content),
            408 | 425 | 500.. => Verdict::Ambiguous,
            _ => Verdict::Intercepted,
        };
        let reason = format!("HTTP status {} without a Bot API answer", answer.status);
        return Classification { verdict, error_code: Some(answer.status), reason: Some(reason), result: None };
    };
    if reply.ok {
        let result = reply.result.take().unwrap_or_default();
        let messages = result.as_array().map_or(std::slice::from_ref(&result), Vec::as_slice);
        let message_id = messages.first().and_then(|message| message.get("message_id")).and_then(Value::as_i64);
        let verdict = Verdict::Sent { message_id, file_ids: messages.iter().map(file_id).collect() };
        return Classification { verdict, error_code: None, reason: None, result: Some(result) };
    }
    let code = reply.error_code.unwrap_or(answer.status);
    let words = reply.description.as_deref().unwrap_or("(no description)");
    Classification {
        verdict: classify_error(&answer, &reply, code, &words.to_lowercase(), by_remembered_id),
        error_code: Some(code),
        reason: Some(cut(words)),
        result: None,
    }
}

fn classify_error(
    answer: &MessengerResponse,
    reply: &ApiReply,
    code: u16,
    words: &str,
    by_remembered_id: bool,
) -> Verdict {
    let parameter =
        |name| reply.parameters.as_ref().and_then(|parameters| parameters.get(name)).and_then(Value::as_i64);
    if let Some(seconds) = parameter("retry_after") {
        return Verdict::FloodWait(flood_wait(u64::try_from(seconds).ok()));
    }
    if let Some(to) = parameter("migrate_to_chat_id") {
        return Verdict::Migrated(to);
    }
    // Flood waits of the upload step arrive as 400, with the number in the text only.
    if let Some(seconds) = flood_wait_in(words) {
        return Verdict::FloodWait(flood_wait(Some(seconds)));
    }
    let has = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    match code {
        // 420 is what Telegram's core calls it.
        420 | 429 => Verdict::FloodWait(flood_wait(answer.retry_after)),
        404 if has(&["method not found"]) => Verdict::Permanent(FailureClass::Request),
        401 | 404 | 409 | 421 => Verdict::Configuration,
        403 => Verdict::Permanent(FailureClass::Recipient),
        413 => Verdict::Permanent(FailureClass::Content),
        500.. => Verdict::Ambiguous,
        _ if has(NOT_MODIFIED) => Verdict::Sent { message_id: None, file_ids: Vec::new() },
        _ if has(CONFIGURATION) => Verdict::Configuration,
        _ if has(TRANSIENT) => Verdict::Transient,
        _ if has(FILE_ID) && by_remembered_id => Verdict::FileIdRefused,
        _ if has(RECIPIENT) => Verdict::Permanent(FailureClass::Recipient),
        _ if has(CONTENT) || has(FILE_ID) => Verdict::Permanent(FailureClass::Content),
        _ => Verdict::Permanent(FailureClass::Request),
    }
}

/// The number in "too many requests: retry after N", and in the names that Telegram's core gives such a wait.
fn flood_wait_in(words: &str) -> Option<u64> {
    const BEFORE: [&str; 4] =
        ["too many requests: retry after ", "flood_wait_", "flood_premium_wait_", "slowmode_wait_"];
    let (_, after) = BEFORE.iter().find_map(|before| words.split_once(before))?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).map_or(after, |end| &after[..end]);
    digits.parse().ok()
}

fn flood_wait(seconds: Option<u64>) -> Duration {
    seconds.map_or(DEFAULT_FLOOD_WAIT, Duration::from_secs).min(MAX_FLOOD_WAIT)
}

/// The file_id of whichever media the message carries; the largest size of a photo is the last (Bot API documentation).
fn file_id(message: &Value) -> Option<String> {
    let of = |media: &Value| media.get("file_id").and_then(Value::as_str).map(str::to_owned);
    if let Some(sizes) = message.get("photo").and_then(Value::as_array) {
        return sizes.last().and_then(of);
    }
    const KINDS: [&str; 7] = ["animation", "document", "video", "audio", "voice", "video_note", "sticker"];
    KINDS.iter().find_map(|kind| message.get(kind).and_then(of))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
