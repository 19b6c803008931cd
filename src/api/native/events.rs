//! The handler that streams how notifications end, as server-sent events.

use super::event_stream::EventStream;
use super::problems::{Invalid, LedgerAway, Unauthorized};
use super::query;
use crate::domain::{EventId, Status};
use crate::http::auth::ApiClient;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::settings::Scope;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

/// The header by which a client says where it stopped.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Told how notifications end, one event each, for as long as the connection is open (server-sent events).
///
/// `event` is `notification.sent`, `.failed`, `.expired`, `.cancelled` or `.unknown`, `data` the body that a callback has, `id` what to
/// send as `Last-Event-ID` to go on behind it: at any process, and after any of them was restarted. Without it the stream begins
/// with what ends from now on. If what came after it is not kept any more, the event `events.gap` says so.
#[utoipa::path(
    get, operation_id = "stream_events", path = "/v1/events", tag = "Notifications", security(("api_key" = [])),
    params(
        ("status" = Option<Vec<Status>>, Query, explode = false, description = "Only these ends, with commas or given several times: sent, failed, expired, cancelled, unknown"),
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only of this bot"),
        ("client" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only of what the client of this name has posted"),
        ("tag" = Option<String>, Query, min_length = 1, description = "Only of those with this tag"),
        ("Last-Event-ID" = Option<String>, Header, pattern = "^[0-9]+-[0-9]+$", description = "The id of the last event that was seen"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "The events, with an id every 15 seconds at least"),
        Invalid, Unauthorized, LedgerAway,
    )
)]
pub async fn stream(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    let mut filter = query::event_query(request.query_string())?;
    filter.seen_by = caller.viewer();
    let last = last_event_id(request.headers())?;
    let mut response = HttpResponse::Ok();
    // nginx holds up what it does not know to be a stream.
    response
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let too_many = || {
        let detail = "There are too many event streams, or too many of this caller (event_streams). Close those that are not needed.";
        Rejection::new(ProblemCode::TooManyStreams, detail)
    };
    let listener = state.events.admit(caller.scope()).ok_or_else(too_many)?;
    // Also behind an id that was given: from now on the log is kept.
    let end = state.events.end().await?;
    Ok(response.streaming(EventStream::new(&state, listener, filter, last.unwrap_or(end)).into_chunks()))
}

/// The id in the header; nothing if there is none, or an empty one, as the standard has it for a client that has seen none.
fn last_event_id(headers: &HeaderMap) -> Result<Option<EventId>, Rejection> {
    let mut given = headers.get_all(LAST_EVENT_ID);
    let Some(value) = given.next().filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|_| given.next().is_none());
    let detail = "Last-Event-ID is the id of an event of this stream, taken as it is, and given once.";
    id.map(Some).ok_or_else(|| Rejection::field(ProblemCode::InvalidField, LAST_EVENT_ID, detail))
}
