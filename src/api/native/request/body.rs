//! Reads a request's body into fields and files, whether it is JSON or a form.

use super::fields::Fields;
use super::uploaded_files::UploadedFiles;
use super::{json, multipart};
use crate::http::body::{Body, content_type};
use crate::http::caller::spool_for;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::HttpRequest;
use actix_web::web::Payload;

/// Reads a body that must be JSON or a form; its files are spooled to disk as they arrive.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    state: &AppState,
) -> Result<(Fields, UploadedFiles), Rejection> {
    let form = is_form(request)?;
    let body = Body::new(request, payload.into_inner(), state.settings.body_limit)?;
    let spool = spool_for(request, state);
    if form { multipart::read(request, body, &spool).await } else { json::read(body, &spool).await }
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
