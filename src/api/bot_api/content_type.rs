//! The header `Content-Type` as the Bot API server reads it: leniently, so that what native requests reject
//! ([`crate::http::body::content_type`]) is understood here.

use actix_web::HttpRequest;

/// The header's value; empty if it is missing.
pub fn content_type_header(request: &HttpRequest) -> &str {
    request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The media type without its parameters, in lower case; empty if it is missing.
pub fn content_type(request: &HttpRequest) -> String {
    content_type_header(request).split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}
