//! Answers in Telegram's envelope (`bot-api.md` 1.2).

use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How a call that went through the queue is answered when it did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum BotApiError {
    /// In the envelope.
    Api(ApiError),
    /// What is wrong with the HTTP itself: this status, no body, and the connection closed (Bot API server).
    Http(u16),
}

/// Telegram's shape of an error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiError {
    error_code: u16,
    description: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    /// Only in the header, where it does not make clients try again by themselves.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl BotApiError {
    /// An error with its code and words.
    pub fn api(error_code: u16, description: impl Into<String>) -> Self {
        let description = description.into();
        Self::Api(ApiError { error_code, description, parameters: Map::new(), retry_after: None })
    }

    /// `Bad Request: …`.
    pub fn bad(words: &str) -> Self {
        Self::api(400, format!("Bad Request: {words}"))
    }

    /// Not taken: come back in so many seconds.
    pub fn too_many(seconds: u64) -> Self {
        let parameters = [("retry_after".to_owned(), json!(seconds))].into_iter().collect();
        let description = format!("Too Many Requests: retry after {seconds}");
        Self::Api(ApiError { error_code: 429, description, parameters, retry_after: Some(seconds) })
    }

    /// The same fault as the sources' own shape tells it, with a status for each thing that may be wrong.
    pub fn with_telling_status(self) -> Self {
        let Self::Api(mut error) = self else { return self };
        let words = error.description.to_ascii_lowercase();
        let (code, name) = match error.error_code {
            400 if words.contains("chat not found") => (404, "Not Found"),
            400 if words.contains("too big") => (413, "Request Entity Too Large"),
            // The address is right, so it is the token that is not.
            404 if words == "not found" => (401, "Unauthorized"),
            _ => return Self::Api(error),
        };
        let rest = error.description.strip_prefix("Bad Request").unwrap_or_default();
        error.description = format!("{name}{rest}");
        error.error_code = code;
        Self::Api(error)
    }

    /// The answer.
    pub fn response(&self) -> HttpResponse {
        let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self {
            Self::Http(code) => HttpResponse::build(status(*code)).force_close().finish(),
            Self::Api(error) => {
                #[derive(Serialize)]
                struct SendOptions<'a> {
                    ok: bool,
                    #[serde(flatten)]
                    error: &'a ApiError,
                }
                let mut response = HttpResponse::build(status(error.error_code));
                if let Some(seconds) = error.retry_after {
                    response.insert_header((header::RETRY_AFTER, seconds.to_string()));
                }
                response.json(SendOptions { ok: false, error })
            }
        }
    }
}

/// What keeps us from taking a call. Clients repeat what was answered 429 and are more careful with a 5xx; so a part of
/// ours that is away is a 503, since nobody knows whether what it was given is kept.
impl From<Rejection> for BotApiError {
    fn from(rejection: Rejection) -> Self {
        match rejection.code {
            ProblemCode::BodyTooLarge | ProblemCode::FileTooLarge => Self::api(413, "Request Entity Too Large"),
            ProblemCode::RequestTimeout => Self::Http(408),
            ProblemCode::UnsupportedMediaType => Self::Http(415),
            ProblemCode::IncompleteBody | ProblemCode::MalformedMultipart => Self::Http(400),
            ProblemCode::Unavailable | ProblemCode::NoRoom => Self::Api(ApiError {
                error_code: 503,
                description: format!("Service Unavailable: {}", rejection.detail),
                parameters: Map::new(),
                retry_after: rejection.code.retry_after().map(u64::from),
            }),
            ProblemCode::Internal => Self::api(500, format!("Internal Server Error: {}", rejection.detail)),
            _ => Self::bad(&rejection.detail),
        }
    }
}

/// A success.
pub fn ok(result: &Value) -> HttpResponse {
    #[derive(Serialize)]
    struct SendOptions<'a> {
        ok: bool,
        result: &'a Value,
    }
    HttpResponse::Ok().json(SendOptions { ok: true, result })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fault: BotApiError) -> (u16, String) {
        let BotApiError::Api(error) = fault.with_telling_status() else { panic!("an error") };
        (error.error_code, error.description)
    }

    #[test]
    fn the_sources_shape_tells_an_unknown_chat_a_large_file_and_a_bad_token_apart() {
        assert_eq!(told(BotApiError::bad("chat not found")), (404, "Not Found: chat not found".into()));
        let large = "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes";
        assert_eq!(told(BotApiError::bad(large)), (413, format!("Request Entity Too Large: {large}")));
        assert_eq!(told(BotApiError::api(404, "Not Found")), (401, "Unauthorized".into()));
        assert_eq!(told(BotApiError::bad("chat_id is empty")), (400, "Bad Request: chat_id is empty".into()));
    }
}
