//! A request's body as fields and files, whichever way it is written.

use crate::api::native::request::fields::Fields;
use crate::api::native::request::files::Files;
use crate::api::native::request::{json, multipart};
use crate::http::body::Body;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::HttpRequest;
use actix_web::http::header::{ContentType, Header};
use actix_web::web::Payload;

/// Reads a body that must be JSON or a form.
pub async fn read(request: &HttpRequest, payload: Payload, state: &AppState) -> Result<(Fields, Files), Rejection> {
    let form = is_form(request)?;
    let body = Body::new(request, payload.into_inner(), state.settings.body_limit)?;
    let spool = state.intake.spool();
    if form { multipart::read(request, body, spool).await } else { json::read(body, spool).await }
}

/// The type of a body, in lower case.
pub fn content_type(request: &HttpRequest) -> Option<String> {
    ContentType::parse(request).ok().map(|ContentType(mime)| mime.essence_str().to_ascii_lowercase())
}

fn is_form(request: &HttpRequest) -> Result<bool, Rejection> {
    match content_type(request).as_deref() {
        Some("application/json") => Ok(false),
        Some("multipart/form-data") => Ok(true),
        _ => Err(Rejection::field(
            ProblemCode::UnsupportedMediaType,
            "Content-Type",
            "Send application/json, or multipart/form-data with the file as a part, photo for an image.",
        )),
    }
}
