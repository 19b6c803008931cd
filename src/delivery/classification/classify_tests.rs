use super::classify;
use crate::delivery::classification::Verdict::{self, *};
use crate::domain::FailureClass;
use crate::ports::{CallError, MessengerResponse};
use serde_json::{Value, json};
use std::time::Duration;

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
fn a_refusal_of_somebody_who_is_not_telegram_is_none() {
    for status in [400, 403, 405, 410, 451] {
        let page = Value::String("<html>Access denied by the company's proxy</html>".to_owned());
        assert_eq!(classify(answer(status, page), false).verdict, Intercepted, "{status}");
    }
}

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
    let body =
        json!({"ok": false, "error_code": 400, "description": "Bad Request: wrong file identifier/HTTP URL specified"});
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
    let photo = json!({"ok": true, "result": {"message_id": 7, "photo": [{"file_id": "small"}, {"file_id": "large"}]}});
    let sent = |id, file: &str| Sent { message_id: Some(id), file_ids: vec![Some(file.to_owned())] };
    assert_eq!(classify(answer(200, photo), false).verdict, sent(7, "large"));
    let document = json!({"ok": true, "result": {"message_id": 8, "document": {"file_id": "doc"}}});
    assert_eq!(classify(answer(200, document), false).verdict, sent(8, "doc"));
    let album = json!({"ok": true, "result": [{"message_id": 9, "photo": [{"file_id": "x"}]}, {"message_id": 10}]});
    let both = Sent { message_id: Some(9), file_ids: vec![Some("x".to_owned()), None] };
    assert_eq!(classify(answer(200, album), false).verdict, both);
}

/// A refusal in the words of a report.
fn reported(code: u16, description: &str, verdict: &Verdict) {
    assert_eq!(refused(code, description), *verdict, "{code} {description}");
}

fn wait(seconds: u64) -> Verdict {
    FloodWait(Duration::from_secs(seconds))
}

#[test]
fn case_72_a_page_that_forbids_says_nothing_about_the_chat() {
    for page in [Value::Null, json!("<html>403 Forbidden</html>"), json!({"error": "blocked"}), json!([])] {
        assert_eq!(classify(answer(403, page.clone()), false).verdict, Intercepted, "{page}");
    }
    reported(403, "Forbidden: bot was blocked by the user", &RECIPIENT);
}

#[test]
fn case_74_a_redirect_a_page_and_a_401_of_a_proxy_are_waited_out() {
    for status in [301, 302, 307, 401, 404, 407] {
        assert_eq!(classify(answer(status, Value::Null), false).verdict, Configuration, "{status}");
    }
}

#[test]
fn case_76_a_wait_without_parameters_is_read_from_the_words() {
    reported(429, "Too Many Requests: retry after 35", &wait(35));
}

#[test]
fn case_78_a_flood_wait_inside_another_error_is_one() {
    let album = "failed to send message #2 with the error message \"Too Many Requests: retry after 11\"";
    reported(400, &format!("Bad Request: {album}"), &wait(11));
    reported(400, "Bad Request: too Many Requests: retry after 7", &wait(7));
}

#[test]
fn case_79_long_waits_are_believed_up_to_a_day() {
    for (seconds, waited) in [(2282, 2282), (18_053, 18_053), (86_400, 86_400), (99_999_999, 86_400)] {
        reported(429, &format!("Too Many Requests: retry after {seconds}"), &wait(waited));
    }
}

#[test]
fn case_86_the_type_of_a_page_is_final_and_fetching_it_is_tried_again() {
    reported(400, "Bad Request: wrong type of the web page content", &CONTENT);
    reported(400, "Bad Request: failed to get HTTP URL content", &Transient);
}

/// Judged: the same bytes are refused again, and a picture that is damaged never leaves here.
#[test]
fn case_89_a_picture_that_cannot_be_processed_is_final() {
    reported(400, "Bad Request: IMAGE_PROCESS_FAILED", &CONTENT);
}

#[test]
fn case_90_the_names_that_the_core_gives_to_waits() {
    reported(400, "Bad Request: FLOOD_WAIT_2", &wait(2));
    reported(420, "FLOOD_WAIT_31", &wait(31));
    reported(400, "Bad Request: SLOWMODE_WAIT_12", &wait(12));
    reported(400, "Bad Request: FLOOD_PREMIUM_WAIT_3", &wait(3));
    assert_eq!(classify(answer(420, Value::Null), false).verdict, Intercepted);
}
