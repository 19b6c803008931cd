//! Rejections as problem documents (RFC 9457).

use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// A name for the kind of problem; equal to `code` behind its prefix.
    #[serde(rename = "type")]
    #[schema(example = "urn:pixcourier:problem:invalid_chat_id")]
    kind: String,
    /// The kind of problem in a few words.
    #[schema(value_type = String)]
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// The kind of problem, for programs; never changes.
    #[schema(value_type = ProblemCode, inline = false, example = "invalid_chat_id")]
    code: &'a str,
    /// What is wrong and what to do about it.
    #[schema(value_type = String)]
    detail: &'a str,
    /// The field, query parameter or header to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "chat_id", nullable = false)]
    field: Option<&'a str>,
}

/// The response to a request that is rejected.
pub fn response(rejection: &Rejection) -> HttpResponse {
    let code = rejection.code;
    let mut response = HttpResponse::build(rejection.status_code());
    if let Some(seconds) = rejection.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if code == ProblemCode::Unauthorized {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"pixcourier\""));
    }
    let mut response = response.content_type("application/problem+json").body(document(rejection));
    let field = rejection.field.clone().filter(|field| is_plain(field));
    response.extensions_mut().insert(Refusal { code: code.as_str(), field });
    response
}

/// What the log says of a rejection; lies in the extensions of its response.
pub struct Refusal {
    /// The problem's code.
    pub code: &'static str,
    /// The field, query parameter or header to blame, if it is written like one: an unknown one has the name that its sender chose.
    pub field: Option<String>,
}

/// Whether it is written like the name of a field, `album[2].media` say: letters are no secret, and it is short.
fn is_plain(field: &str) -> bool {
    field.len() <= 64
        && field.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-.[]0123456789".contains(&byte))
        && field.bytes().filter(u8::is_ascii_digit).count() <= 4
}

/// A whole response in bytes, for a connection on which no request is read; it ends the connection.
pub fn raw_response(code: ProblemCode, detail: &str) -> Vec<u8> {
    let body = document(&Rejection::new(code, detail));
    let (status, title, length) = (code.status(), code.title(), body.len());
    let retry_after = code.retry_after().map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} {title}\r\nConnection: close\r\n{retry_after}\
         Content-Type: application/problem+json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.into_bytes(), body].concat()
}

/// The problem document of a rejection as a value, to be put into another.
pub fn value(rejection: &Rejection) -> serde_json::Value {
    serde_json::to_value(view(rejection)).unwrap_or_default()
}

/// The problem document of a rejection, as JSON text.
fn document(rejection: &Rejection) -> Vec<u8> {
    serde_json::to_vec(&view(rejection)).unwrap_or_default()
}

fn view(rejection: &Rejection) -> ProblemDocument<'_> {
    let code = rejection.code;
    ProblemDocument {
        kind: format!("urn:pixcourier:problem:{}", code.as_str()),
        title: code.title(),
        status: code.status(),
        code: code.as_str(),
        detail: &rejection.detail,
        field: rejection.field.as_deref(),
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        response(self)
    }
}
