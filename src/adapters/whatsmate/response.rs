//! WhatsMate's responses in the Bot API's terms. Its public API document names errors without fixed statuses or texts,
//! so the status is looked at first, then the words; an error that is not recognised keeps the code of its status.

use crate::ports::{ApiReply, CallError, MessengerResponse};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The Bot API's error code by which couriers know that the recipient is to blame.
pub const RECIPIENT_ERROR_CODE: u16 = 403;
/// The Bot API's error code by which they know that the account is to blame, or a wrong gateway URL.
const ACCOUNT_ERROR_CODE: u16 = 401;
/// How long to wait when a quota is used up and the response does not say, in seconds. Quotas are renewed by the day or
/// by hand: asking more often is of no use, and less often would hold up what waits for long after.
const QUOTA_RETRY_AFTER_SECONDS: u64 = 600;

#[derive(Deserialize)]
struct GatewayBody {
    status: Option<String>,
    id: Option<Value>,
    error_message: Option<String>,
}

/// The response to a call, from its status, its `Retry-After` and its body.
pub fn read(status: u16, retry_after: Option<u64>, body: &[u8]) -> Result<MessengerResponse, CallError> {
    let body: Option<GatewayBody> = serde_json::from_slice(body).ok();
    let (success, queued) = match &body {
        _ if !(200..300).contains(&status) => (false, None),
        // "queued" is all it says, and there is no way to ask further.
        Some(GatewayBody { error_message: None, status: word, id }) => (true, Some(json!({"id": id, "status": word}))),
        Some(_) => (false, None),
        None => return Err(CallError::MaybeSent("a success whose body is not WhatsMate's".into())),
    };
    if success {
        let reply = ApiReply { ok: true, result: queued, ..ApiReply::default() };
        return Ok(MessengerResponse { status, retry_after, reply: Some(reply) });
    }
    let Some(words) = body.and_then(|body| body.error_message) else {
        return Ok(MessengerResponse { status, retry_after, reply: None });
    };
    let code = error_code(if status < 400 { 400 } else { status }, &words.to_lowercase());
    let mut response = rejection(code, words);
    if code == 429 {
        let seconds = retry_after.unwrap_or(QUOTA_RETRY_AFTER_SECONDS);
        let parameters: Map<String, Value> = [("retry_after".to_owned(), seconds.into())].into_iter().collect();
        response.reply = response.reply.map(|reply| ApiReply { parameters: Some(parameters), ..reply });
    }
    Ok(MessengerResponse { status, retry_after, ..response })
}

/// A rejection as the Bot API would word it.
pub fn rejection(code: u16, words: impl Into<String>) -> MessengerResponse {
    let words: String = words.into();
    let description = if words.starts_with("WhatsMate") { words } else { format!("WhatsMate: {words}") };
    let reply = ApiReply { error_code: Some(code), description: Some(description), ..ApiReply::default() };
    MessengerResponse { status: code, retry_after: None, reply: Some(reply) }
}

/// The Bot API's code for an error, from its status and its words in lower case.
fn error_code(status: u16, words: &str) -> u16 {
    let has = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    match status {
        429 => 429,
        400..500 if has(&["quota"]) => 429,
        400 if has(&["client id", "client secret", "client-id", "client-secret", "credential", "unauthorized"]) => {
            ACCOUNT_ERROR_CODE
        }
        400 if has(&["instance"]) => ACCOUNT_ERROR_CODE,
        400 | 403 if has(&["forbidden content"]) => 400,
        400 | 403 | 404 if has(&["regist", "not a contact", "blocked", "recipient", "not a member"]) => {
            RECIPIENT_ERROR_CODE
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(status: u16, words: &str) -> (u16, Option<u64>) {
        let body = json!({"error_message": words}).to_string();
        let reply = read(status, None, body.as_bytes()).unwrap().reply.unwrap();
        assert!(!reply.ok && reply.description.unwrap().contains(words));
        let wait = reply.parameters.and_then(|parameters| parameters["retry_after"].as_u64());
        (reply.error_code.unwrap(), wait)
    }

    #[test]
    fn every_error_of_its_document_has_a_code_that_couriers_understand() {
        for (status, words, code) in [
            (401, "Missing client ID", 401),
            (400, "Missing client ID", 401),
            (400, "Invalid client secret", 401),
            (400, "Unknown instance number", 401),
            (400, "This phone number has not registered", RECIPIENT_ERROR_CODE),
            (400, "Recipient is not registered", RECIPIENT_ERROR_CODE),
            (403, "Forbidden content", 400),
            (400, "Invalid number", 400),
            (400, "Message too long", 400),
            (404, "No such path", 404),
            (413, "Too large", 413),
            (500, "Something is wrong", 500),
            (503, "Gateway is offline", 503),
        ] {
            assert_eq!(translated(status, words), (code, None), "{status} {words}");
        }
        for (status, words) in [(400, "Quota exceeded"), (403, "Trial quota exceeded"), (429, "Slow down")] {
            assert_eq!(translated(status, words), (429, Some(QUOTA_RETRY_AFTER_SECONDS)), "{status} {words}");
        }
    }

    #[test]
    fn queued_is_as_much_as_it_says() {
        let answer = read(200, None, br#"{"status":"queued","id":"0-1","success":true}"#).unwrap();
        let reply = answer.reply.unwrap();
        assert!(reply.ok);
        assert_eq!(reply.result, Some(json!({"id": "0-1", "status": "queued"})));
        assert!(read(200, None, b"<html>").is_err(), "nobody knows");
        assert!(read(502, None, b"<html>").unwrap().reply.is_none());
        assert!(!read(200, None, br#"{"error_message":"no"}"#).unwrap().reply.unwrap().ok);
    }
}
