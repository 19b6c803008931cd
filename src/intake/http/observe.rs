//! One log line and one count per request. Never a query string, a body, a chat or a key.

use super::Shared;
use crate::domain::NotificationId;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use std::time::Instant;

/// Wraps every request.
pub async fn observe<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let begin = Instant::now();
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
    if route.starts_with("/v1/") {
        tracing::info!(method, route, status, ms, notification, "request answered");
    } else {
        tracing::debug!(method, route, status, ms, "request answered");
    }
    Ok(response)
}
