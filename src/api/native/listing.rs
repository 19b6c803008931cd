//! The handlers that find notifications: lists and counts by a filter.

use super::problems::{InvalidQuery, LedgerAway, Unauthorized};
use super::query;
use super::view::{NotificationCounts, NotificationPage};
use crate::domain::{FailureClass, Status};
use crate::http::auth::ApiClient;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::summary::summary;
use crate::ports::Ports;
use crate::settings::Scope;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many pages of listings are made at a time: each may take some megabytes while it is.
const MAX_CONCURRENT_LISTINGS: usize = 4;
static LISTINGS: Semaphore = Semaphore::const_new(MAX_CONCURRENT_LISTINGS);

/// How many counts and dry runs are made at a time: each may take seconds, for which no listing waits.
const MAX_CONCURRENT_COUNTS: usize = 2;
pub(super) static COUNTS: Semaphore = Semaphore::const_new(MAX_CONCURRENT_COUNTS);

/// For how long a summary counts.
const COUNTING_TIME: Duration = Duration::from_secs(2);

/// List notifications, newest first.
///
/// Where no index leads to what is asked for, a page looks at some thousand notifications and may then be short, or empty: as long
/// as it has a `next_cursor` there may be more.
#[utoipa::path(
    get, operation_id = "list_notifications", path = "/v1/notifications", tag = "Notifications", security(("api_key" = [])),
    params(
        ("status" = Option<Vec<Status>>, Query, explode = false, description = "Only these statuses, with commas or given several times"),
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only this bot"),
        ("client" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only what the client of this name has posted"),
        ("chat_id" = Option<String>, Query, description = "Only this chat"),
        ("tag" = Option<String>, Query, min_length = 1, description = "Only those with this tag"),
        ("class" = Option<FailureClass>, Query, description = "Only those whose failure is of this class"),
        ("since" = Option<String>, Query, format = DateTime, description = "Only those that were taken in then or later, by the time in their ids"),
        ("until" = Option<String>, Query, format = DateTime, description = "Only those that were taken in before"),
        ("reason" = Option<String>, Query, min_length = 1, description = "Only those with this text in the description of their failure, or else in the reason of their last attempt; in capitals or not"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "At most so many; 50 if not given"),
        ("cursor" = Option<String>, Query, format = Uuid, description = "The next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = NotificationPage, description = "A page"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn list(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    let mut query = query::list_query(request.query_string())?;
    query.filter.seen_by = caller.viewer();
    let turn = LISTINGS.acquire().await;
    let listing = |ports: Ports| async move {
        let _turn = turn;
        ports.ledger.list(&query).await
    };
    let page = state.with_ports(listing).await?;
    Ok(HttpResponse::Ok().json(NotificationPage::new(page, &state.pauses())))
}

/// Count notifications, by the filter of a listing.
///
/// It counts for two seconds at the most; what is asked for by status, bot and time alone is counted from an index.
#[utoipa::path(
    get, operation_id = "count_notifications", path = "/v1/notifications/summary", tag = "Notifications", security(("api_key" = [])),
    params(
        ("status" = Option<Vec<Status>>, Query, explode = false, description = "Only these statuses, with commas or given several times"),
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only this bot"),
        ("client" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only what the client of this name has posted"),
        ("chat_id" = Option<String>, Query, description = "Only this chat"),
        ("tag" = Option<String>, Query, min_length = 1, description = "Only those with this tag"),
        ("class" = Option<FailureClass>, Query, description = "Only those whose failure is of this class"),
        ("since" = Option<String>, Query, format = DateTime, description = "Only those that were taken in then or later"),
        ("until" = Option<String>, Query, format = DateTime, description = "Only those that were taken in before"),
        ("reason" = Option<String>, Query, min_length = 1, description = "Only those with this text in their reason"),
    ),
    responses(
        (status = 200, body = NotificationCounts, description = "How many there are"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn count(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    let mut filter = query::filter_query(request.query_string())?;
    filter.seen_by = caller.viewer();
    let turn = COUNTS.acquire().await;
    let counting = |ports: Ports| async move {
        let _turn = turn;
        summary(&*ports.ledger, &filter, COUNTING_TIME).await
    };
    let counted = state.with_ports(counting).await?;
    Ok(HttpResponse::Ok().json(NotificationCounts::from(counted)))
}
