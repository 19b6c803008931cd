//! Handlers and guards that the routes of several faces share.

use super::problem;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::guard;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpResponse, Route, web};

/// What a handler returns whose rejections are problem documents.
pub type HandlerResult = Result<HttpResponse, Rejection>;

/// A route for `GET`, and for `HEAD`, which gets the same response without its body.
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// 404 for an address that leads nowhere.
pub async fn not_found() -> HandlerResult {
    Err(Rejection::new(ProblemCode::NotFound, "There is nothing at this address. The API is described at /docs."))
}

/// 405 for a method that an address does not take; `allow` is the header of that name.
pub async fn not_allowed(allow: &'static str) -> HttpResponse {
    let rejection = Rejection::new(ProblemCode::MethodNotAllowed, format!("This address takes {allow}."));
    let mut response = problem::response(&rejection);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// 405 for an address that is only read.
pub async fn read_only() -> HttpResponse {
    not_allowed("GET, HEAD").await
}
