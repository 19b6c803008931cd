//! The liveness probe `/healthz`, the readiness probe `/readyz`, and `/metrics` for Prometheus. They write nothing, but for a
//! trial after something was refused for want of room.

use super::auth::Visitor;
use super::routing::{get_or_head, resource};
use super::state::AppState;
use crate::domain::{BotName, Lane};
use crate::intake::rejection::Rejection;
use crate::ports::{AcceptError, Depth};
use crate::telemetry::Metrics;
use actix_web::HttpResponse;
use actix_web::web::{self, Data};
use futures_util::StreamExt;
use serde::Serialize;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;

/// How long a part may take to say that it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a page of metrics waits for the depths of the bots.
const DEPTH_PATIENCE: Duration = Duration::from_secs(1);
/// How long the queue may take to tell a bot's depth.
const DEPTH_TIMEOUT: Duration = Duration::from_secs(10);

/// Adds the routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/healthz", "GET, HEAD").route(get_or_head().to(healthz)))
        .service(resource("/readyz", "GET, HEAD").route(get_or_head().to(readyz)))
        .service(resource("/metrics", "GET, HEAD").route(get_or_head().to(metrics)));
}

/// Whether requests are wanted here.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`, `stopping` (or starting), `draining`, or `unavailable`.
    #[schema(value_type = String, example = "ready")]
    status: &'static str,
    /// The parts that are away. Without the ledger it is ready all the same: what has no idempotency key is taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    away: Vec<&'static str>,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "Operations", responses((status = 200, description = "It lives", body = String, content_type = "text/plain")))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whether a notification would be accepted here: no while a needed part is away or it is drained, and as the first thing in a stop.
#[utoipa::path(get, path = "/readyz", tag = "Operations", responses(
    (status = 200, body = Readiness, description = "Ready; `away` names the parts that can be done without"),
    (status = 503, body = Readiness, description = "Not ready; `away` names the parts"),
))]
pub async fn readyz(state: Data<AppState>) -> HttpResponse {
    if !*state.ready.borrow() {
        return HttpResponse::ServiceUnavailable().json(Readiness { status: "stopping", away: Vec::new() });
    }
    if *state.draining.borrow() {
        return HttpResponse::ServiceUnavailable().json(Readiness { status: "draining", away: Vec::new() });
    }
    let (accepts, away) = match state.run(unavailable_parts(state.clone().into_inner())).await {
        Ok(answers) => answers,
        Err(_) => (false, vec!["runtime"]),
    };
    if accepts {
        HttpResponse::Ok().json(Readiness { status: "ready", away })
    } else {
        HttpResponse::ServiceUnavailable().json(Readiness { status: "unavailable", away })
    }
}

/// Whether intake has what it needs, and the names of the parts that are not ready, sorted. It asks the ledger for idempotency
/// keys only; where it needs more of it, the acceptor says so.
async fn unavailable_parts(state: Arc<AppState>) -> (bool, Vec<&'static str>) {
    let acceptor = async {
        match timeout(READY_TIMEOUT, state.ports.acceptor.ready()).await {
            Ok(Ok(())) => None,
            Ok(Err(AcceptError::Unavailable { part, .. })) => Some(part),
            Ok(Err(_)) | Err(_) => Some("acceptor"),
        }
    };
    let (acceptor, disk, queue, ledger, blobs) = tokio::join!(
        acceptor,
        name_if_unavailable("disk", room(&state)),
        name_if_unavailable("queue", state.ports.queue.ready()),
        name_if_unavailable("ledger", state.ports.ledger.ready()),
        name_if_unavailable("blobs", state.ports.blobs.ready()),
    );
    let accepts = acceptor.or(disk).or(queue).or(blobs).is_none();
    let mut away: Vec<_> = [acceptor, disk, queue, ledger, blobs].into_iter().flatten().collect();
    away.sort_unstable();
    away.dedup();
    (accepts, away)
}

/// Whether there is room for what is handed in, as far as is known.
async fn room(state: &AppState) -> Result<(), ()> {
    let room = state.intake.spool().room().clone();
    match tokio::task::spawn_blocking(move || room.is_there()).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(()),
    }
}

async fn name_if_unavailable<E>(
    part: &'static str,
    ready: impl Future<Output = Result<(), E>>,
) -> Option<&'static str> {
    match timeout(READY_TIMEOUT, ready).await {
        Ok(Ok(())) => None,
        _ => Some(part),
    }
}

/// The metrics, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "Operations", responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")))]
pub async fn metrics(_: Visitor, state: Data<AppState>) -> Result<HttpResponse, Rejection> {
    refresh_depths(&state).await;
    // Of hundreds of bots it is megabytes.
    let metrics = state.metrics.clone();
    let page = state.run_blocking(move || metrics.page()).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page))
}

/// Asks the queue how much is waiting, and shows what it says. An answer that comes late is shown on the next page, and this
/// one has the last known depth; a bot whose depth is not told for [`DEPTH_TIMEOUT`] vanishes, and is not left at its last value.
async fn refresh_depths(state: &AppState) {
    let (queue, metrics) = (state.ports.queue.clone(), state.metrics.clone());
    let bots: Vec<_> = state.settings.bots.keys().cloned().collect();
    let asked = state.runtime.spawn(async move {
        let mut untold: BTreeSet<_> = bots.iter().cloned().collect();
        let show = async {
            let mut depths = queue.depths(bots);
            while let Some((bot, depth)) = depths.next().await {
                untold.remove(&bot);
                show_depth(&metrics, &bot, depth.ok().as_ref());
            }
        };
        // Late is no fault.
        let _ = timeout(DEPTH_TIMEOUT, show).await;
        untold.iter().for_each(|bot| show_depth(&metrics, bot, None));
    });
    let _ = timeout(DEPTH_PATIENCE, asked).await;
}

fn show_depth(metrics: &Metrics, bot: &BotName, depth: Option<&Depth>) {
    for (i, lane) in Lane::ALL.into_iter().enumerate() {
        let labels = [bot.as_str(), lane.as_str()];
        match depth {
            Some(depth) => {
                let waiting = i64::try_from(depth.lanes[i]).unwrap_or(i64::MAX);
                metrics.queue_depth.with_label_values(&labels).set(waiting);
            }
            None => _ = metrics.queue_depth.remove_label_values(&labels),
        }
    }
}
