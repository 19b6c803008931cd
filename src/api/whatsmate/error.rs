//! Rejections in the shape of WhatsMate's API.

use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;

/// A rejection for a WhatsMate client.
#[derive(Debug)]
pub struct WhatsMateError(Rejection);

impl From<Rejection> for WhatsMateError {
    fn from(rejection: Rejection) -> Self {
        Self(rejection)
    }
}

impl fmt::Display for WhatsMateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl WhatsMateError {
    /// The response: `{"error_message": "…"}` with a status that these clients know.
    pub fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(status(self.0.code));
        if let Some(seconds) = self.0.code.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.json(json!({"error_message": self.0.detail}))
    }
}

/// The contract knows 400 and 401 only; what went wrong on our side must not look like the caller's mistake.
fn status(code: ProblemCode) -> StatusCode {
    match code.status() {
        401 => StatusCode::UNAUTHORIZED,
        404 if code == ProblemCode::NotFound => StatusCode::NOT_FOUND,
        405 => StatusCode::METHOD_NOT_ALLOWED,
        500 => StatusCode::INTERNAL_SERVER_ERROR,
        503 | 507 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl ResponseError for WhatsMateError {
    fn status_code(&self) -> StatusCode {
        status(self.0.code)
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_is_a_400_but_for_credentials_addresses_and_our_own_errors() {
        let of = |wanted: u16| {
            let codes = ProblemCode::ALL.iter().filter(|code| status(**code).as_u16() == wanted);
            codes.map(|code| code.status()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(of(401), [401].into());
        assert_eq!((of(404), of(405)), ([404].into(), [405].into()));
        assert_eq!((of(500), of(503)), ([500].into(), [503, 507].into()));
        assert!([400, 413, 415, 422].iter().all(|status| of(400).contains(status)));
    }
}
