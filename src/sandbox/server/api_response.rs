//! Answers of the Bot API server.

use crate::sandbox::arguments::RequestReadError;
use crate::sandbox::options::{SandboxBots, TokenCheck};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde_json::{Value, json};

/// An answer in the Bot API's JSON.
pub fn api_response(result: &ApiResult<Value>, note: Option<&str>) -> HttpResponse {
    let error = result.as_ref().err();
    let mut response = HttpResponse::build(status(result));
    response.content_type("application/json");
    if let Some(seconds) = error.and_then(SandboxError::retry_after) {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    response.body(api_body(result, note))
}

pub fn api_body(result: &ApiResult<Value>, note: Option<&str>) -> String {
    match (result, note) {
        (Ok(result), Some(note)) => json!({"ok": true, "result": result, "description": note}).to_string(),
        (Ok(result), None) => json!({"ok": true, "result": result}).to_string(),
        (Err(error), _) => error.json().to_string(),
    }
}

pub fn status(result: &ApiResult<Value>) -> StatusCode {
    result.as_ref().err().map_or(StatusCode::OK, |e| StatusCode::from_u16(e.code).unwrap_or_default())
}

pub fn error_response(error: SandboxError) -> HttpResponse {
    api_response(&Err(error), None)
}

/// The answer to a request that could not be read; it closes the connection.
pub fn unreadable_response(error: RequestReadError) -> HttpResponse {
    match error {
        RequestReadError::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
            HttpResponse::build(status).force_close().finish()
        }
        RequestReadError::TooLarge => {
            let error = SandboxError::new(413, "Request Entity Too Large");
            HttpResponse::PayloadTooLarge()
                .content_type("application/json")
                .force_close()
                .body(error.json().to_string())
        }
    }
}

/// The bot whose token it is.
pub fn authenticate(bots: &SandboxBots, token: &str) -> ApiResult<u64> {
    match bots.check(token) {
        TokenCheck::Good(bot) => Ok(bot),
        TokenCheck::Unknown => Err(SandboxError::new(401, "Unauthorized")),
        TokenCheck::Misdirected => Err(SandboxError::new(421, "Misdirected Request: unallowed token specified")),
        TokenCheck::Malformed => Err(SandboxError::new(404, "Not Found")),
    }
}
