//! The header `Content-Type` as the Bot API server reads it (Telegram's server source): leniently, so that what native
//! requests reject ([`crate::http::body::content_type`]) is understood here.

use actix_web::HttpRequest;

/// What a body is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Fields and files.
    Multipart,
    /// An urlencoded form.
    Form,
    /// The members of a JSON object.
    Json,
    /// A file named `file`: a body of any other type, or of none.
    File,
}

impl BodyKind {
    /// Finds the type anywhere in the header, in any case.
    pub fn of(request: &HttpRequest) -> Self {
        let header = content_type_header(request).to_ascii_lowercase();
        let names = [
            ("multipart/form-data", Self::Multipart),
            ("application/x-www-form-urlencoded", Self::Form),
            ("application/json", Self::Json),
        ];
        names.into_iter().find(|(name, _)| header.contains(name)).map_or(Self::File, |(_, kind)| kind)
    }
}

/// The header's value; empty if it is missing.
pub fn content_type_header(request: &HttpRequest) -> &str {
    request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("")
}
