//! Who calls, as far as callers share something evenly.

use super::state::AppState;
use crate::domain::Sha256;
use crate::intake::spool::Spool;
use crate::intake::turns::Caller;
use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

/// The spool, on behalf of whoever sent a request: the client of an API key, wherever it calls from, or else an address.
pub fn spool_for(request: &HttpRequest, state: &AppState) -> Spool {
    let key = request.headers().get(AUTHORIZATION).map(|key| Sha256::of(key.as_bytes()).to_string());
    let address = || request.peer_addr().map(|address| address.ip().to_string());
    let caller = Caller::named(&key.or_else(address).unwrap_or_default());
    state.intake.spool().for_caller(caller)
}
