//! Responses as the Bot API documentation describes them: `ok` with `result`, or with `error_code` and `description`.

use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The error response to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum BotApiError {
    /// As JSON.
    Api(TelegramError),
    /// What is wrong with the HTTP itself: this status, no body, and the connection closed (Bot API server).
    Http(u16),
}

/// The members of an error response beside `ok`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TelegramError {
    error_code: u16,
    description: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    /// For the header `Retry-After`, in seconds. Client libraries retry by themselves only for the member of `parameters`.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl BotApiError {
    /// An error with its code and description.
    pub fn api(error_code: u16, description: impl Into<String>) -> Self {
        let description = description.into();
        Self::Api(TelegramError { error_code, description, parameters: Map::new(), retry_after: None })
    }

    /// 400, `Bad Request: …`.
    pub fn bad(words: &str) -> Self {
        Self::api(400, format!("Bad Request: {words}"))
    }

    /// 429, the rate limit response: nothing was accepted; `retry_after` tells in how many seconds to try again.
    pub fn too_many(seconds: u64) -> Self {
        let parameters = [("retry_after".to_owned(), json!(seconds))].into_iter().collect();
        let description = format!("Too Many Requests: retry after {seconds}");
        Self::Api(TelegramError { error_code: 429, description, parameters, retry_after: Some(seconds) })
    }

    /// The same error with other words.
    pub fn with_description(self, words: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Api(error) => Self::Api(TelegramError { description: words(&error.description), ..error }),
            http => http,
        }
    }

    /// The same error as addresses without `bot` in front of the token give it: with a status of its own for an unknown
    /// chat, a file that is too large and an unknown token.
    pub fn with_telling_status(self) -> Self {
        let Self::Api(mut error) = self else { return self };
        let words = error.description.to_ascii_lowercase();
        let (code, name) = match error.error_code {
            400 if words.contains("chat not found") => (404, "Not Found"),
            400 if words.contains("too big") => (413, "Request Entity Too Large"),
            // The route has matched, so it is the token that is wrong.
            404 if words == "not found" => (401, "Unauthorized"),
            _ => return Self::Api(error),
        };
        let rest = error.description.strip_prefix("Bad Request").unwrap_or_default();
        error.description = format!("{name}{rest}");
        error.error_code = code;
        Self::Api(error)
    }

    /// The response.
    pub fn response(&self) -> HttpResponse {
        let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self {
            Self::Http(code) => HttpResponse::build(status(*code)).force_close().finish(),
            Self::Api(error) => {
                #[derive(Serialize)]
                struct ErrorBody<'a> {
                    ok: bool,
                    #[serde(flatten)]
                    error: &'a TelegramError,
                }
                let mut response = HttpResponse::build(status(error.error_code));
                if let Some(seconds) = error.retry_after {
                    response.insert_header((header::RETRY_AFTER, seconds.to_string()));
                }
                response.json(ErrorBody { ok: false, error })
            }
        }
    }
}

/// Why a call is rejected. A part of ours that is away is a 503 and not a 429: clients repeat a call after a 429 without
/// thinking, and it is not known whether the call was kept.
impl From<Rejection> for BotApiError {
    fn from(rejection: Rejection) -> Self {
        match rejection.code {
            ProblemCode::BodyTooLarge | ProblemCode::FileTooLarge => Self::api(413, "Request Entity Too Large"),
            ProblemCode::RequestTimeout => Self::Http(408),
            ProblemCode::UnsupportedMediaType => Self::Http(415),
            ProblemCode::IncompleteBody | ProblemCode::MalformedMultipart => Self::Http(400),
            ProblemCode::Unavailable | ProblemCode::NoRoom => Self::Api(TelegramError {
                error_code: 503,
                description: format!("Service Unavailable: {}", rejection.detail),
                parameters: Map::new(),
                retry_after: rejection.code.retry_after().map(u64::from),
            }),
            ProblemCode::RateLimited
            | ProblemCode::QuotaExceeded
            | ProblemCode::TooMuchInFlight
            | ProblemCode::TooMuchKept => Self::too_many(rejection.retry_after().unwrap_or(1))
                .with_description(|words| format!("{words}: {}", rejection.detail)),
            ProblemCode::Internal | ProblemCode::Unconfirmed => {
                Self::api(500, format!("Internal Server Error: {}", rejection.detail))
            }
            _ => Self::bad(&rejection.detail),
        }
    }
}

/// The response to a call that succeeded.
pub fn ok(result: &Value) -> HttpResponse {
    #[derive(Serialize)]
    struct ResultBody<'a> {
        ok: bool,
        result: &'a Value,
    }
    HttpResponse::Ok().json(ResultBody { ok: true, result })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_telling_status(error: BotApiError) -> (u16, String) {
        let BotApiError::Api(error) = error.with_telling_status() else { panic!("an error") };
        (error.error_code, error.description)
    }

    #[test]
    fn an_unknown_chat_a_large_file_and_a_bad_token_get_a_status_of_their_own() {
        assert_eq!(with_telling_status(BotApiError::bad("chat not found")), (404, "Not Found: chat not found".into()));
        let large = "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes";
        assert_eq!(with_telling_status(BotApiError::bad(large)), (413, format!("Request Entity Too Large: {large}")));
        assert_eq!(with_telling_status(BotApiError::api(404, "Not Found")), (401, "Unauthorized".into()));
        assert_eq!(
            with_telling_status(BotApiError::bad("chat_id is empty")),
            (400, "Bad Request: chat_id is empty".into())
        );
    }
}
