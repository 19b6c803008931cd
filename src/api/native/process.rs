//! The process that answers: which bots it owns, and draining it.

use super::problems::{InvalidQuery, Unauthorized};
use super::query;
use crate::http::auth::ApiClient;
use crate::http::routing::{HandlerResult, get_or_head, resource};
use crate::http::state::AppState;
use crate::intake::rejection::Rejection;
use crate::settings::Scope;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

/// Adds the routes, which every role has.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/v1/process", "GET, HEAD").route(get_or_head().to(get)))
        .service(resource("/v1/process/drain", "POST").route(web::post().to(drain)))
        .service(resource("/v1/process/resume", "POST").route(web::post().to(resume)));
}

/// A process of the service.
#[derive(Serialize, ToSchema)]
pub struct Process {
    /// The version of the program.
    #[schema(value_type = String)]
    version: &'static str,
    /// Whether it is drained: it owns no bots, or is about to give them up.
    draining: bool,
    /// The bots that it owns, by name.
    owned: Vec<String>,
}

impl Process {
    fn of(state: &AppState) -> Self {
        let owned = state.settings.bots.keys().map(ToString::to_string);
        let owned = owned.filter(|bot| state.metrics.owned.with_label_values(&[bot.as_str()]).get() > 0).collect();
        Self { version: env!("CARGO_PKG_VERSION"), draining: *state.draining.borrow(), owned }
    }
}

/// Which bots the process that answers owns.
#[utoipa::path(
    get, operation_id = "get_process", path = "/v1/process", tag = "Operations", security(("api_key" = [])),
    responses((status = 200, body = Process, description = "The process"), InvalidQuery, Unauthorized)
)]
pub async fn get(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    check(&request, &caller, &state)?;
    Ok(HttpResponse::Ok().json(Process::of(&state)))
}

/// Drain the process that answers.
///
/// It gives up its bots in order, after what is under way has ended within the grace period, takes no others, and is not ready
/// (`/readyz`). It answers all the same. `owned` is empty once it has given up all.
#[utoipa::path(
    post, operation_id = "drain_process", path = "/v1/process/drain", tag = "Operations", security(("api_key" = [])),
    responses((status = 200, body = Process, description = "It is drained until it is resumed or ends"), InvalidQuery, Unauthorized)
)]
pub async fn drain(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    set(&request, &caller, &state, true)
}

/// Let the process that answers take bots again.
#[utoipa::path(
    post, operation_id = "resume_process", path = "/v1/process/resume", tag = "Operations", security(("api_key" = [])),
    responses((status = 200, body = Process, description = "It is not drained"), InvalidQuery, Unauthorized)
)]
pub async fn resume(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    set(&request, &caller, &state, false)
}

fn set(request: &HttpRequest, caller: &ApiClient, state: &AppState, draining: bool) -> HandlerResult {
    check(request, caller, state)?;
    if state.draining.send_replace(draining) != draining {
        let client = caller.named().map(|client| client.name.as_str());
        tracing::info!(draining, client, "drained, or not any more");
    }
    Ok(HttpResponse::Ok().json(Process::of(state)))
}

/// It concerns all bots.
fn check(request: &HttpRequest, caller: &ApiClient, state: &AppState) -> Result<(), Rejection> {
    caller.check_scope(&[Scope::Manage])?;
    query::read(request.query_string(), &[])?;
    state.settings.bots.keys().try_for_each(|bot| caller.check_bot(bot))
}
