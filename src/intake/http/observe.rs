//! One log line and one count per request. Never a query string, a body, a chat or a key.
//!
//! Also keeps the request's body alive until its answer is written. actix reads a dropped chunked body to its end, for
//! the sake of the connection and however long that is; one that is still held makes it answer, read on for `LINGER` at
//! the most, and close.

use super::Shared;
use crate::domain::NotificationId;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage};
use futures_util::{StreamExt, stream};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// Wraps every request.
pub async fn observe<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Held>, Error> {
    let begin = Instant::now();
    let held = hold(&mut request);
    let shared = request.app_data::<Data<Shared>>().cloned();
    let mut response = next.call(request).await?;
    if shared.as_ref().is_some_and(|shared| !*shared.ready.borrow()) {
        // Stopping: said now, so that the caller's next request does not meet a connection that is just being closed.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let request = response.request();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "DELETE" | "PUT" | "PATCH" | "OPTIONS") => known,
        _ => "other",
    };
    let (status, elapsed) = (response.status(), begin.elapsed());
    if let Some(shared) = shared {
        shared.metrics.http_requests.with_label_values(&[route.as_str(), method, status.as_str()]).inc();
        shared.metrics.http_request_seconds.with_label_values(&[route.as_str()]).observe(elapsed.as_secs_f64());
    }
    let notification = request.extensions().get::<NotificationId>().copied().map(tracing::field::display);
    let (status, ms) = (status.as_u16(), u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    if route.starts_with("/v1/") || route.starts_with("/v3/") || notification.is_some() {
        tracing::info!(method, route, status, ms, notification, "request answered");
    } else {
        tracing::debug!(method, route, status, ms, "request answered");
    }
    Ok(response.map_body(|_, body| Held { body: body.boxed(), _request: held }))
}

/// Leaves the request's body where it can be read, and keeps it.
fn hold(request: &mut ServiceRequest) -> Rc<RefCell<Payload>> {
    let held = Rc::new(RefCell::new(request.take_payload()));
    let lent = held.clone();
    let payload = stream::poll_fn(move |cx| lent.borrow_mut().poll_next_unpin(cx)).boxed_local();
    request.set_payload(Payload::Stream { payload });
    held
}

/// The body of an answer, and the body of the request that it answers.
pub struct Held {
    body: BoxBody,
    _request: Rc<RefCell<Payload>>,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
