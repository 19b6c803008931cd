//! Who calls, as far as callers share something evenly.

use super::auth::ApiClient;
use super::callers::Callers;
use super::state::AppState;
use crate::intake::caller::Caller;
use crate::intake::spool::Spool;
use actix_web::HttpRequest;

/// The spool, on behalf of whoever sent a request.
pub fn spool_for(request: &HttpRequest, state: &AppState) -> Spool {
    state.intake.spool().for_caller(caller(&state.callers.get(), request))
}

/// The client of an API key, wherever it calls from, or else an address. What anybody can make up tells nobody apart.
fn caller(callers: &Callers, request: &HttpRequest) -> Caller {
    if let Some(client) = ApiClient::shown(callers, request.headers()) {
        return Caller::named(client.scope());
    }
    request.peer_addr().map(|address| Caller::at(address.ip())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::AUTHORIZATION;
    use actix_web::test::TestRequest;

    fn called(keys: &[&str], from: &str, authorization: &str) -> Caller {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned().into()).collect();
        let (callers, from) = (Callers::of(&keys, &[]), format!("{from}:4711").parse().unwrap());
        let request = TestRequest::default().peer_addr(from).insert_header((AUTHORIZATION, authorization));
        caller(&callers, &request.to_http_request())
    }

    #[test]
    fn a_client_is_one_caller_however_it_writes_its_key() {
        let keys = ["alpha", "beta"];
        let alpha = called(&keys, "10.0.0.1", "Bearer alpha");
        assert_eq!(called(&keys, "10.0.0.2", "bearer   alpha"), alpha);
        assert_ne!(called(&keys, "10.0.0.1", "Bearer beta"), alpha);
    }

    #[test]
    fn nobody_becomes_many_callers_by_keys_that_are_none() {
        for keys in [&[][..], &["alpha"]] {
            let stranger = called(keys, "10.0.0.1", "Bearer x");
            assert_eq!(called(keys, "10.0.0.1", "Bearer y"), stranger);
            assert_ne!(called(keys, "10.0.0.2", "Bearer x"), stranger);
        }
    }
}
