//! What an answer of Telegram means: every answer, and every silence, falls in exactly one class.
//!
//! The error strings are no documented contract, so fields come first, then numbers, then substrings in any case, and
//! what nobody knows is permanent: it is not tried for ever.

use crate::domain::FailureClass;
use crate::ports::{ApiReply, CallError, MessengerResponse};
use serde_json::Value;
use std::time::Duration;

/// The class of an answer, with what the class needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Telegram has the message.
    Sent {
        /// Its number (of the first, for an album).
        message_id: Option<i64>,
        /// The file_id of each message, of its largest size, whichever kind of file Telegram made of it.
        file_ids: Vec<Option<String>>,
    },
    /// Wait so long, then the same request.
    FloodWait(Duration),
    /// The chat has this id now.
    Migrated(i64),
    /// The file_id is dead: upload.
    FileIdRefused,
    /// Nothing was sent, for a reason that passes and lies with this request.
    Transient,
    /// Nothing was sent: Telegram could not be reached.
    Unreachable,
    /// Nothing was sent: the image could not be read from our own store.
    Unreadable,
    /// Nobody knows whether it was sent.
    Ambiguous,
    /// The bot is refused, not the request.
    Configuration,
    /// Never going to work.
    Permanent(FailureClass),
}

/// A verdict with Telegram's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What it means.
    pub verdict: Verdict,
    /// Telegram's `error_code`, or the HTTP status of a failure without one.
    pub error_code: Option<u16>,
    /// Telegram's words, or what happened on the way to it.
    pub reason: Option<String>,
    /// Telegram's result as it came, of a success.
    pub result: Option<Value>,
}

/// Telegram's words in a record are cut to this many characters.
const LONGEST_REASON: usize = 500;
/// The wait when a 429 names none.
const UNNAMED_WAIT: Duration = Duration::from_secs(5);
/// A `retry_after` beyond this is not believed: the longest seen was under three hours.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Says what a result means. `by_remembered_id`: it was sent by a file_id of ours, for which we hold the bytes.
pub fn classify(result: Result<MessengerResponse, CallError>, by_remembered_id: bool) -> Judgement {
    match result {
        Err(error) => {
            let verdict = match error {
                CallError::NotSent(_) => Verdict::Unreachable,
                CallError::MaybeSent(_) => Verdict::Ambiguous,
                CallError::Content(_) => Verdict::Unreadable,
            };
            Judgement { verdict, error_code: None, reason: Some(cut(&error.to_string())), result: None }
        }
        Ok(answer) => judge(answer, by_remembered_id),
    }
}

fn judge(mut answer: MessengerResponse, by_remembered_id: bool) -> Judgement {
    let Some(mut reply) = answer.reply.take() else {
        let verdict = match answer.status {
            // A success that cannot be read was a success.
            200..300 => Verdict::Ambiguous,
            429 => Verdict::FloodWait(wait(answer.retry_after)),
            // A proxy in between, wrongly addressed or asking for credentials.
            300..=399 | 401 | 404 | 407 | 421 => Verdict::Configuration,
            403 => Verdict::Permanent(FailureClass::Recipient),
            413 => Verdict::Permanent(FailureClass::Content),
            408 | 425 | 500.. => Verdict::Ambiguous,
            _ => Verdict::Permanent(FailureClass::Request),
        };
        let reason = format!("HTTP status {} without a Bot API answer", answer.status);
        return Judgement { verdict, error_code: Some(answer.status), reason: Some(reason), result: None };
    };
    if reply.ok {
        let result = reply.result.take().unwrap_or_default();
        let messages = result.as_array().map_or(std::slice::from_ref(&result), Vec::as_slice);
        let message_id = messages.first().and_then(|message| message.get("message_id")).and_then(Value::as_i64);
        let verdict = Verdict::Sent { message_id, file_ids: messages.iter().map(file_id).collect() };
        return Judgement { verdict, error_code: None, reason: None, result: Some(result) };
    }
    let code = reply.error_code.unwrap_or(answer.status);
    let words = reply.description.as_deref().unwrap_or("(no description)");
    Judgement {
        verdict: rejection(&answer, &reply, code, &words.to_lowercase(), by_remembered_id),
        error_code: Some(code),
        reason: Some(cut(words)),
        result: None,
    }
}

fn rejection(answer: &MessengerResponse, reply: &ApiReply, code: u16, words: &str, by_remembered_id: bool) -> Verdict {
    let parameter =
        |name| reply.parameters.as_ref().and_then(|parameters| parameters.get(name)).and_then(Value::as_i64);
    if let Some(seconds) = parameter("retry_after") {
        return Verdict::FloodWait(wait(u64::try_from(seconds).ok()));
    }
    if let Some(to) = parameter("migrate_to_chat_id") {
        return Verdict::Migrated(to);
    }
    // Flood waits of the upload step arrive as 400, with the number in the text only.
    if let Some(seconds) = named_wait(words) {
        return Verdict::FloodWait(wait(Some(seconds)));
    }
    let has = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    match code {
        429 => Verdict::FloodWait(wait(answer.retry_after)),
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

// Substrings of lower-cased descriptions (Bot API server, TDLib and the MTProto error list).

const NOT_MODIFIED: &[&str] = &["message is not modified"];

const CONFIGURATION: &[&str] = &["logged out", "frozen_method_invalid"];

const TRANSIENT: &[&str] = &[
    "photo_save_file_invalid",
    "file_parts_invalid",
    "file_part_",
    "md5_checksum_invalid",
    "group send failed",
    "failed to get http url content",
    "webpage_curl_failed",
    "temporarily unavailable",
];

const FILE_ID: &[&str] = &[
    "wrong file identifier/http url specified",
    // The same, unmapped, of an item of an album.
    "media_empty",
    "wrong remote file identifier specified",
    "invalid remote file identifier",
    "remote file identifier must be non-empty",
    "can't use file of type",
    "file_reference_",
    "invalid file_id",
];

const RECIPIENT: &[&str] = &[
    "chat not found",
    "chat_id is empty",
    "user not found",
    "peer_id_invalid",
    "no write access",
    "need administrator rights",
    "not enough rights",
    "chat_write_forbidden",
    "chat_restricted",
    "chat_admin_required",
    "_forbidden",
    "user_banned_in_channel",
    "channel_private",
    "privacy_premium_required",
    "topic_closed",
    "topic_deleted",
    "user_is_blocked",
    "input_user_deactivated",
];

const CONTENT: &[&str] = &[
    "photo_invalid_dimensions",
    "image_process_failed",
    "unsupported extension",
    "is too big for a",
    "file must be non-empty",
    "wrong type of the web page content",
    "webpage_",
    "media_invalid",
    "media_empty",
    "document_invalid",
    "input_file_invalid",
    "wrong http url specified",
    "invalid file http url specified",
];

/// The number in "too many requests: retry after N".
fn named_wait(words: &str) -> Option<u64> {
    let (_, after) = words.split_once("too many requests: retry after ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).map_or(after, |end| &after[..end]);
    digits.parse().ok()
}

fn wait(seconds: Option<u64>) -> Duration {
    seconds.map_or(UNNAMED_WAIT, Duration::from_secs).min(LONGEST_WAIT)
}

/// The file_id of whichever media the message carries; the largest photo is the last (Bot API).
fn file_id(message: &Value) -> Option<String> {
    let of = |media: &Value| media.get("file_id").and_then(Value::as_str).map(str::to_owned);
    if let Some(sizes) = message.get("photo").and_then(Value::as_array) {
        return sizes.last().and_then(of);
    }
    const KINDS: [&str; 7] = ["animation", "document", "video", "audio", "voice", "video_note", "sticker"];
    KINDS.iter().find_map(|kind| message.get(kind).and_then(of))
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::*;
    use serde_json::json;

    fn answer(status: u16, body: Value) -> Result<MessengerResponse, CallError> {
        Ok(MessengerResponse { status, retry_after: None, reply: serde_json::from_value(body).ok() })
    }

    fn refused(code: u16, description: &str) -> Verdict {
        let body = json!({"ok": false, "error_code": code, "description": description});
        classify(answer(code, body), true).verdict
    }

    const RECIPIENT: Verdict = Permanent(FailureClass::Recipient);
    const CONTENT: Verdict = Permanent(FailureClass::Content);
    const REQUEST: Verdict = Permanent(FailureClass::Request);

    #[test]
    fn every_known_refusal_falls_in_its_class() {
        let flood = |seconds| FloodWait(Duration::from_secs(seconds));
        let table = [
            (400, "Bad Request: too Many Requests: retry after 17", flood(17)),
            (
                400,
                "Bad Request: failed to send message #1 with the error message \"Too Many Requests: retry after 8\"",
                flood(8),
            ),
            (429, "Too Many Requests: retry after 3", flood(3)),
            (429, "Too Many Requests", flood(5)),
            (400, "Bad Request: PHOTO_SAVE_FILE_INVALID", Transient),
            (400, "Bad Request: FILE_PARTS_INVALID", Transient),
            (400, "Bad Request: FILE_PART_LENGTH_INVALID", Transient),
            (400, "Bad Request: MD5_CHECKSUM_INVALID", Transient),
            (400, "Bad Request: group send failed", Transient),
            (400, "Bad Request: failed to get HTTP URL content", Transient),
            (400, "Bad Request: wrong file_id or the file is temporarily unavailable", Transient),
            (500, "Internal Server Error: restart", Ambiguous),
            (500, "Internal Server Error: request aborted", Ambiguous),
            (502, "Bad Gateway", Ambiguous),
            (504, "Gateway Timeout", Ambiguous),
            (413, "Request Entity Too Large", CONTENT),
            (401, "Unauthorized", Configuration),
            (401, "Unauthorized: invalid token specified", Configuration),
            (404, "Not Found", Configuration),
            (404, "Not Found: method not found", REQUEST),
            (421, "Misdirected Request: unallowed token specified", Configuration),
            (400, "Logged out", Configuration),
            (400, "Bad Request: logged out", Configuration),
            (400, "Bad Request: FROZEN_METHOD_INVALID", Configuration),
            (409, "Conflict: terminated by setWebhook request", Configuration),
            (400, "Bad Request: chat not found", RECIPIENT),
            (400, "Bad Request: private chat not found", RECIPIENT),
            (403, "Forbidden: bot was blocked by the user", RECIPIENT),
            (403, "Forbidden: user is deactivated", RECIPIENT),
            (403, "Forbidden: bot can't initiate conversation with a user", RECIPIENT),
            (403, "Forbidden: bot was kicked from the supergroup chat", RECIPIENT),
            (400, "Bad Request: PEER_ID_INVALID", RECIPIENT),
            (400, "Bad Request: have no write access to the chat", RECIPIENT),
            (400, "Bad Request: need administrator rights in the channel chat", RECIPIENT),
            (400, "Bad Request: not enough rights to send photos to the chat", RECIPIENT),
            (400, "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN", RECIPIENT),
            (400, "Bad Request: USER_BANNED_IN_CHANNEL", RECIPIENT),
            (400, "Bad Request: PRIVACY_PREMIUM_REQUIRED", RECIPIENT),
            (400, "Bad Request: TOPIC_CLOSED", RECIPIENT),
            (400, "Bad Request: message thread not found", REQUEST),
            (400, "Bad Request: message to be replied not found", REQUEST),
            (400, "Bad Request: there is no photo in the request", REQUEST),
            (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", CONTENT),
            (400, "Bad Request: IMAGE_PROCESS_FAILED", CONTENT),
            (
                400,
                "Bad Request: photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp",
                CONTENT,
            ),
            (
                400,
                "Bad Request: file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes",
                CONTENT,
            ),
            (400, "Bad Request: file must be non-empty", CONTENT),
            (400, "Bad Request: wrong file identifier/HTTP URL specified", FileIdRefused),
            (400, "Bad Request: wrong remote file identifier specified: Wrong string length", FileIdRefused),
            (400, "Bad Request: can't use file of type Document as Photo", FileIdRefused),
            (400, "Bad Request: FILE_REFERENCE_EXPIRED", FileIdRefused),
            (400, "Bad Request: wrong type of the web page content", CONTENT),
            (400, "Bad Request: wrong HTTP URL specified", CONTENT),
            (400, "Bad Request: message caption is too long", REQUEST),
            (400, "Bad Request: can't parse entities: Can't find end of Bold entity at byte offset 4", REQUEST),
            (400, "Bad Request: object expected as reply markup", REQUEST),
            (400, "Bad Request: something that nobody has seen before", REQUEST),
            (418, "I'm a teapot", REQUEST),
        ];
        for (code, description, verdict) in table {
            assert_eq!(refused(code, description), verdict, "{code} {description}");
        }
    }

    #[test]
    fn a_refused_file_id_of_the_callers_own_is_permanent() {
        let body = json!({"ok": false, "error_code": 400, "description": "Bad Request: wrong file identifier/HTTP URL specified"});
        assert_eq!(classify(answer(400, body), false).verdict, CONTENT);
    }

    #[test]
    fn parameters_come_before_words() {
        let flood = json!({"ok": false, "error_code": 400, "description": "?", "parameters": {"retry_after": 9}});
        assert_eq!(classify(answer(400, flood), false).verdict, FloodWait(Duration::from_secs(9)));
        let moved = json!({"ok": false, "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": -1001234567890_i64}});
        assert_eq!(classify(answer(400, moved), false).verdict, Migrated(-1_001_234_567_890));
    }

    #[test]
    fn silence_and_half_answers_are_told_apart() {
        let cases: [(Result<MessengerResponse, CallError>, Verdict); 8] = [
            (Err(CallError::NotSent("connection refused".into())), Unreachable),
            (Err(CallError::MaybeSent("timed out".into())), Ambiguous),
            (Err(CallError::Content("blob store: away".into())), Unreadable),
            (answer(200, Value::Null), Ambiguous),
            (answer(502, Value::Null), Ambiguous),
            (answer(413, Value::Null), CONTENT),
            (answer(408, Value::Null), Ambiguous),
            (answer(302, Value::Null), Configuration),
        ];
        for (result, verdict) in cases {
            assert_eq!(classify(result, false).verdict, verdict);
        }
    }

    #[test]
    fn the_largest_photo_is_the_last_and_other_media_are_found_too() {
        let photo =
            json!({"ok": true, "result": {"message_id": 7, "photo": [{"file_id": "small"}, {"file_id": "large"}]}});
        let sent = |id, file: &str| Sent { message_id: Some(id), file_ids: vec![Some(file.to_owned())] };
        assert_eq!(classify(answer(200, photo), false).verdict, sent(7, "large"));
        let document = json!({"ok": true, "result": {"message_id": 8, "document": {"file_id": "doc"}}});
        assert_eq!(classify(answer(200, document), false).verdict, sent(8, "doc"));
        let album = json!({"ok": true, "result": [{"message_id": 9, "photo": [{"file_id": "x"}]}, {"message_id": 10}]});
        let both = Sent { message_id: Some(9), file_ids: vec![Some("x".to_owned()), None] };
        assert_eq!(classify(answer(200, album), false).verdict, both);
    }
}
