//! The access log: one log line and one count in the metrics per request. Never a query string, a body, a chat or a key.
//! Each request has an id, which its response and every log line about it carry.
//!
//! Also keeps the request's body alive until its response is written. actix reads a dropped chunked body to its end,
//! however long that is, to keep the connection; one that is still held makes it respond, read on for the server's
//! `LINGER_TIMEOUT` at most, and close.

use super::client_trace::ClientTrace;
use super::connections::{Connection, InUse};
use super::problem::Refusal;
use super::request_id::{REQUEST_ID, request_id};
use super::state::AppState;
use crate::domain::NotificationId;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage};
use futures_util::{StreamExt, stream};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tracing::Instrument;

/// What the response to a repetition carries, with the value `true`.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The mark of a request, among its extensions, whose idempotency key was used before: the response is that of the first.
pub struct Replayed;

/// The middleware around every request.
pub async fn access_log<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<ResponseBody>, Error> {
    let begun = Instant::now();
    let connection = request.conn_data::<Arc<Connection>>().cloned();
    let in_use = connection.as_ref().map(Connection::begin_request);
    let held = keep_payload(&mut request, connection);
    let state = request.app_data::<Data<AppState>>().cloned();
    let id = request_id(request.headers());
    let span = tracing::info_span!("request", request_id = id.to_str().unwrap_or_default());
    let mut response = next.call(request).instrument(span.clone()).await?;
    let _in_span = span.enter();
    response.headers_mut().insert(REQUEST_ID, id);
    if response.request().extensions().contains::<Replayed>() {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    if state.as_ref().is_some_and(|state| !*state.ready.borrow()) {
        // Graceful shutdown: `Connection: close` now, so that the next request does not meet a connection being closed.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let request = response.request().clone();
    let trace = request.extensions_mut().remove::<ClientTrace>();
    if let Some(trace) = &trace {
        trace.tell(response.headers_mut());
    }
    let client = trace.as_ref().map(|trace| trace.name.as_str());
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "DELETE" | "PUT" | "PATCH" | "OPTIONS") => known,
        _ => "other",
    };
    let (status, elapsed) = (response.status(), begun.elapsed());
    if let Some(state) = state {
        state.metrics.http_requests.with_label_values(&[route.as_str(), method, status.as_str()]).inc();
        state.metrics.http_request_seconds.with_label_values(&[route.as_str()]).observe(elapsed.as_secs_f64());
        if let Some(client) = client {
            state.metrics.client_requests.with_label_values(&[client, status.as_str()]).inc();
        }
    }
    let notification = request.extensions().get::<NotificationId>().copied().map(tracing::field::display);
    let (status, ms) = (status.as_u16(), u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    let extensions = response.response().extensions();
    let refusal = extensions.get::<Refusal>();
    let (code, field) = (refusal.map(|refusal| refusal.code), refusal.and_then(|refusal| refusal.field.as_deref()));
    let is_ours = route.starts_with("/v1/") || route.starts_with("/v3/") || notification.is_some();
    // Who asks what became of something asks often.
    let is_look = matches!(method, "GET" | "HEAD") && status < 400;
    if is_ours && !is_look {
        tracing::info!(method, route, status, ms, client, notification, code, field, "request answered");
    } else {
        tracing::debug!(method, route, status, ms, client, notification, code, field, "request answered");
    }
    drop(extensions);
    Ok(response.map_body(|_, body| ResponseBody { body: body.boxed(), _request: held, _in_use: in_use }))
}

/// Keeps the request's body, and leaves a stream in its place through which it can still be read. The connection is told what
/// is taken from it.
fn keep_payload(request: &mut ServiceRequest, connection: Option<Arc<Connection>>) -> Rc<RefCell<Payload>> {
    let held = Rc::new(RefCell::new(request.take_payload()));
    let lent = held.clone();
    let payload = stream::poll_fn(move |cx| {
        let piece = lent.borrow_mut().poll_next_unpin(cx);
        match (&connection, &piece) {
            (Some(connection), Poll::Ready(Some(Ok(bytes)))) => connection.take(bytes.len()),
            (Some(connection), Poll::Pending) => connection.take_all(),
            _ => {}
        }
        piece
    });
    request.set_payload(Payload::Stream { payload: payload.boxed_local() });
    held
}

/// The body of a response, and with it the body of its request, and the mark that its connection is in use.
pub struct ResponseBody {
    body: BoxBody,
    _request: Rc<RefCell<Payload>>,
    _in_use: Option<InUse>,
}

impl MessageBody for ResponseBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
