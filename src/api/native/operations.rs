//! The handlers of what is done to many: `/v1/notifications/cancel` and `/retry` by a filter, and `/v1/operations`.

use super::filter;
use super::listing::COUNTS;
use super::operation_view::{DryRunView, OperationRequest, OperationView, OperationViews};
use super::problems::{
    BodyTooLarge, Invalid, InvalidQuery, KeyReused, LedgerAway, NoSuchOperation, NotJson, TooSlow, Unauthorized,
};
use super::query;
use crate::domain::{Filter, Operation, OperationId, OperationKind};
use crate::http::access_log::Replayed;
use crate::http::auth::ApiClient;
use crate::http::body::{Body, content_type};
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::Intake;
use crate::intake::fingerprint::fingerprint;
use crate::intake::operations::operation;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::Idempotency;
use crate::settings::Scope;
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The largest body in bytes.
const BODY_LIMIT_BYTES: u64 = 64 << 10;
/// How many operations are listed, and of how many those are that a client sees.
const MAX_LISTED: usize = 1_000;

/// Cancel many.
///
/// Those that meet the filter and have not been sent, in the background: the answer says where to ask how far it is. With
/// `dry_run` nothing is done, and the answer says how many there are. The same `Idempotency-Key` begins it once.
#[utoipa::path(
    post, operation_id = "cancel_notifications", path = "/v1/notifications/cancel", tag = "Many at once", security(("api_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every operation")),
    request_body(content = OperationRequest, content_type = "application/json"),
    responses(
        (status = 200, body = DryRunView, description = "What it would be done to"),
        (status = 202, body = OperationView, description = "It is begun, durably",
            headers(("Location" = String, description = "Where to ask how far it is"))),
        Invalid, Unauthorized, TooSlow, BodyTooLarge, NotJson, KeyReused, LedgerAway,
    )
)]
pub async fn cancel(request: HttpRequest, caller: ApiClient, payload: Payload, state: Data<AppState>) -> HandlerResult {
    begin(OperationKind::Cancel, &request, caller, payload, &state).await
}

/// Try many again.
///
/// Those that meet the filter and had ended unsent when this was asked for, each once: the `failed` and `expired` ones, others if
/// `status` names them. What its sender has sent again since is left out, unless `skip_resent` is `false`.
#[utoipa::path(
    post, operation_id = "retry_notifications", path = "/v1/notifications/retry", tag = "Many at once", security(("api_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every operation")),
    request_body(content = OperationRequest, content_type = "application/json"),
    responses(
        (status = 200, body = DryRunView, description = "What it would be done to"),
        (status = 202, body = OperationView, description = "It is begun, durably",
            headers(("Location" = String, description = "Where to ask how far it is"))),
        Invalid, Unauthorized, TooSlow, BodyTooLarge, NotJson, KeyReused, LedgerAway,
    )
)]
pub async fn retry(request: HttpRequest, caller: ApiClient, payload: Payload, state: Data<AppState>) -> HandlerResult {
    begin(OperationKind::Retry, &request, caller, payload, &state).await
}

/// How far it is.
#[utoipa::path(
    get, operation_id = "get_operation", path = "/v1/operations/{id}", tag = "Many at once", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The operation's id")),
    responses(
        (status = 200, body = OperationView, description = "The operation as it stands"),
        Unauthorized, NoSuchOperation, LedgerAway,
    )
)]
pub async fn get(caller: ApiClient, path: Path<String>, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Read, Scope::Manage])?;
    let unknown = || Rejection::new(ProblemCode::OperationNotFound, "There is no such operation, or it was swept.");
    let id: OperationId = path.parse().map_err(|_| unknown())?;
    let found = state.with_ports(|ports| async move { ports.operations.get(id).await }).await?;
    let operation = found.filter(|operation| sees(&caller, operation)).ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(OperationView::from(operation)))
}

/// List operations, newest first.
#[utoipa::path(
    get, operation_id = "list_operations", path = "/v1/operations", tag = "Many at once", security(("api_key" = [])),
    params(("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "At most so many; 50 if not given")),
    responses(
        (status = 200, body = OperationViews, description = "The newest operations"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn list(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Read, Scope::Manage])?;
    let given = query::read(request.query_string(), &["limit"])?;
    let limit = given.get("limit").map_or(Ok(query::DEFAULT_PAGE_LIMIT), |text| query::page_limit(text))?;
    let most = if caller.sees_all() { limit } else { MAX_LISTED };
    let found = state.with_ports(|ports| async move { ports.operations.list(most).await }).await?;
    let seen = found.into_iter().filter(|operation| sees(&caller, operation)).take(limit);
    Ok(HttpResponse::Ok().json(OperationViews { operations: seen.map(OperationView::from).collect() }))
}

/// Whoever sees everything sees all operations, everybody else its own.
fn sees(caller: &ApiClient, operation: &Operation) -> bool {
    caller.sees_all() || caller.named().is_some_and(|client| operation.client.as_ref() == Some(&client.name))
}

async fn begin(
    kind: OperationKind,
    request: &HttpRequest,
    caller: ApiClient,
    payload: Payload,
    state: &AppState,
) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Manage])?;
    let key = caller.idempotency_key(request.headers())?;
    if content_type(request) != "application/json" {
        return Err(Rejection::field(ProblemCode::UnsupportedMediaType, "Content-Type", "Send application/json."));
    }
    let document = Body::new(request, payload.into_inner(), BODY_LIMIT_BYTES)?.collect_within_limit().await?;
    let members: Map<String, Value> = serde_json::from_slice(&document).map_err(|error| {
        Rejection::new(ProblemCode::MalformedJson, format!("The body is not a JSON object: {error}."))
    })?;
    let idempotency = key.map(|key| {
        let request = json!({"kind": kind.as_str(), "request": &members});
        Idempotency { key, fingerprint: fingerprint(&request) }
    });
    let Wanted { mut filter, dry_run, skip_resent } = wanted(members)?;
    if let Some(bot) = &filter.bot {
        caller.check_bot(bot)?;
    }
    filter.seen_by = caller.viewer();
    if let (OperationKind::Retry, Some(viewer), Some(client)) = (kind, &mut filter.seen_by, caller.named()) {
        viewer.own_bots = client.bots.clone();
    }
    let mut operation = operation(kind, filter, skip_resent)?;
    operation.client = caller.named().map(|client| client.name.clone());
    if dry_run {
        let turn = COUNTS.acquire().await;
        let looking = |intake: Arc<Intake>| async move {
            let _turn = turn;
            intake.dry_run(operation).await
        };
        let found = state.with_intake(looking).await?;
        return Ok(HttpResponse::Ok().json(DryRunView::from(found)));
    }
    let beginning = state.with_intake(|intake| async move { intake.begin_operation(operation, idempotency).await });
    let (operation, replayed) = beginning.await?;
    if replayed {
        request.extensions_mut().insert(Replayed);
    }
    let location = (header::LOCATION, format!("/v1/operations/{}", operation.id));
    Ok(HttpResponse::Accepted().insert_header(location).json(OperationView::from(operation)))
}

struct Wanted {
    filter: Filter,
    dry_run: bool,
    skip_resent: bool,
}

/// Reads the members of a body.
fn wanted(members: Map<String, Value>) -> Result<Wanted, Rejection> {
    let mut wanted = Wanted { filter: Filter::default(), dry_run: false, skip_resent: true };
    for (name, value) in members {
        let wrong = |what: &str| Rejection::invalid(&name, what);
        match (name.as_str(), value) {
            ("dry_run" | "skip_resent", Value::Bool(flag)) => {
                *if name == "dry_run" { &mut wanted.dry_run } else { &mut wanted.skip_resent } = flag;
            }
            ("dry_run" | "skip_resent", _) => return Err(wrong("is true or false")),
            ("status", Value::Array(statuses)) => {
                for status in statuses {
                    let status = status.as_str().ok_or_else(|| wrong("is a status or an array of them"))?;
                    filter::put(&mut wanted.filter, &name, status, ProblemCode::InvalidField)?;
                }
            }
            ("chat_id", Value::Number(number)) => {
                filter::put(&mut wanted.filter, &name, &number.to_string(), ProblemCode::InvalidField)?;
            }
            (known, Value::String(text)) if filter::NAMES.contains(&known) => {
                filter::put(&mut wanted.filter, &name, &text, ProblemCode::InvalidField)?;
            }
            (known, _) if filter::NAMES.contains(&known) => return Err(wrong("is a string")),
            (unknown, _) => {
                let shown: String = unknown.chars().take(64).collect();
                let detail = format!("There are {}, dry_run and skip_resent.", filter::NAMES.join(", "));
                return Err(Rejection::field(ProblemCode::UnknownField, shown, detail));
            }
        }
    }
    if wanted.filter.is_empty() {
        let names = filter::NAMES.join(", ");
        let detail = format!(
            "Say which: one or more of {names}. For really all, write {{\"since\": \"1970-01-01T00:00:00Z\"}}."
        );
        return Err(Rejection::new(ProblemCode::MissingField, detail));
    }
    filter::check(&wanted.filter, ProblemCode::InvalidField)?;
    Ok(wanted)
}
