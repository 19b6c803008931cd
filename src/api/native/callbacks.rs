//! The handlers of `/v1/callbacks`: what receivers could not be told, and trying that again.

use super::callback_view::{CallbackPageView, CallbackView, ReplayedCallbacks};
use super::problems::{InvalidQuery, LedgerAway, NoSuchCallback, Unauthorized};
use super::query;
use crate::domain::{CallbackId, CallbackState, Timestamp};
use crate::http::auth::ApiClient;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{CallbackPage, CallbackQuery, Callbacks, LedgerError, Ports};
use crate::settings::Scope;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::Semaphore;

/// How many pages are made at a time: each may take some megabytes while it is.
const MAX_CONCURRENT_PAGES: usize = 4;
/// How many pages of the store are looked through for one page of a client that does not see everything.
const MAX_STORE_PAGES: usize = 20;
/// How many callbacks are asked of the store at a time then.
const STORE_PAGE: usize = 200;

/// List callbacks that are not delivered, highest id first.
///
/// Those that wait for their first try, that are tried again, and that were given up after a day; these are kept as long as
/// records.
#[utoipa::path(
    get, operation_id = "list_callbacks", path = "/v1/callbacks", tag = "Callbacks", security(("api_key" = [])),
    params(
        ("state" = Option<CallbackState>, Query, description = "Only this state"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "At most so many; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = CallbackPageView, description = "A page"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn list(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    let query = query::callback_query(request.query_string(), &CallbackState::ALL)?;
    let page = seen_page(&state, caller, query).await?;
    Ok(HttpResponse::Ok().json(CallbackPageView::from(page)))
}

/// Try one again now, from the start.
///
/// For one that is failing or was given up; of one that waits anyway nothing is changed. Those of one notification come in the
/// order of its ends, but one that was given up comes after the others.
#[utoipa::path(
    post, operation_id = "replay_callback", path = "/v1/callbacks/{id}/replay", tag = "Callbacks", security(("api_key" = [])),
    params(("id" = String, Path, description = "The callback's id")),
    responses(
        (status = 202, body = CallbackView, description = "It is tried now, and again for a day"),
        Unauthorized, NoSuchCallback, LedgerAway,
    )
)]
pub async fn replay(caller: ApiClient, path: Path<String>, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Manage])?;
    let id: CallbackId = path.parse().map_err(|_| no_such_callback())?;
    let replaying = |ports: Ports| async move {
        let callbacks = &*ports.callbacks;
        let found = callbacks.get(&id).await?;
        if !found.is_some_and(|found| caller.sees_those_of(found.event.client.as_ref(), &found.event.bot)) {
            return Ok(None);
        }
        callbacks.replay(&id, Timestamp::now()).await?;
        callbacks.get(&id).await
    };
    let replayed = state.with_ports(replaying).await?.ok_or_else(no_such_callback)?;
    Ok(HttpResponse::Accepted().json(CallbackView::from(replayed)))
}

/// Try all again now that the same `GET` lists, up to 1,000 at a time.
///
/// Without `state` those that are failing and those that were given up.
#[utoipa::path(
    post, operation_id = "replay_callbacks", path = "/v1/callbacks/replay", tag = "Callbacks", security(("api_key" = [])),
    params(
        ("state" = Option<CallbackState>, Query, description = "Only this state"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "At most so many; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the answer before"),
    ),
    responses(
        (status = 202, body = ReplayedCallbacks, description = "They are tried now, and again for a day"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn replay_all(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Manage])?;
    let failed = [CallbackState::Failing, CallbackState::GivenUp];
    let query = query::callback_query(request.query_string(), &failed)?;
    let page = seen_page(&state, caller, query).await?;
    let replaying = |ports: Ports| async move {
        let (now, mut replayed) = (Timestamp::now(), 0);
        for callback in &page.callbacks {
            replayed += usize::from(ports.callbacks.replay(&callback.event.id, now).await?);
        }
        Ok::<_, LedgerError>(ReplayedCallbacks { replayed, next_cursor: page.next.map(|id| id.to_string()) })
    };
    let replayed = state.with_ports(replaying).await?;
    Ok(HttpResponse::Accepted().json(replayed))
}

fn no_such_callback() -> Rejection {
    let detail = "No callback of this id is kept: it was delivered, or given up longer ago than records are kept.";
    Rejection::new(ProblemCode::CallbackNotFound, detail)
}

async fn seen_page(state: &AppState, caller: ApiClient, query: CallbackQuery) -> Result<CallbackPage, Rejection> {
    static PAGES: Semaphore = Semaphore::const_new(MAX_CONCURRENT_PAGES);
    let turn = PAGES.acquire().await;
    let listing = |ports: Ports| async move {
        let _turn = turn;
        page(&*ports.callbacks, query, &caller).await
    };
    state.with_ports(listing).await
}

/// The callbacks that the client sees. After [`MAX_STORE_PAGES`] the page may be short, or empty; its `next` then leads on.
async fn page(
    callbacks: &dyn Callbacks,
    mut query: CallbackQuery,
    caller: &ApiClient,
) -> Result<CallbackPage, LedgerError> {
    if caller.sees_all() {
        return callbacks.list(&query).await;
    }
    let limit = std::mem::replace(&mut query.limit, STORE_PAGE);
    let mut page = CallbackPage { callbacks: Vec::new(), next: None };
    for _ in 0..MAX_STORE_PAGES {
        let found = callbacks.list(&query).await?;
        let seen = found.callbacks.into_iter();
        for callback in seen.filter(|found| caller.sees_those_of(found.event.client.as_ref(), &found.event.bot)) {
            if page.callbacks.len() == limit {
                page.next = page.callbacks.last().map(|callback| callback.event.id);
                return Ok(page);
            }
            page.callbacks.push(callback);
        }
        (page.next, query.before) = (found.next, found.next);
        if page.next.is_none() {
            break;
        }
    }
    Ok(page)
}
