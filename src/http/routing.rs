//! Handlers and guards that the routes of several faces share.

use super::problem;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::guard;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpResponse, Resource, Route, web};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What a method of a route answers, as far as that is known ahead.
pub struct RouteStatuses {
    /// The route as the metrics name it: a template.
    pub route: Cow<'static, str>,
    /// The HTTP method.
    pub method: &'static str,
    /// The statuses.
    pub statuses: BTreeSet<u16>,
}

impl RouteStatuses {
    /// The same of several methods of one route that no OpenAPI document describes.
    pub fn of<const N: usize>(route: &'static str, methods: [&'static str; N], statuses: &[u16]) -> [Self; N] {
        methods.map(|method| Self { route: route.into(), method, statuses: statuses.iter().copied().collect() })
    }
}

/// What a handler returns whose rejections are problem documents.
pub type HandlerResult = Result<HttpResponse, Rejection>;

/// A route for `GET`, and for `HEAD`, which gets the same response without its body.
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A resource that responds to all methods but those of its routes with 405; `allow` names these, for the header of that name.
pub fn resource(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || not_allowed(allow)))
}

/// 404 for an address that leads nowhere.
pub async fn not_found() -> HandlerResult {
    Err(Rejection::new(ProblemCode::NotFound, "There is nothing at this address. The API is described at /docs."))
}

async fn not_allowed(allow: &'static str) -> HttpResponse {
    let rejection = Rejection::new(ProblemCode::MethodNotAllowed, format!("This address takes {allow}."));
    let mut response = problem::response(&rejection);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}
