//! The graceful shutdown, begun by SIGTERM or SIGINT. In this order:
//!
//! 1. `/readyz` says 503. Couriers start nothing new and finish the attempts in flight; background tasks end at once.
//! 2. For [`READINESS_DELAY`] HTTP requests are still taken; then connections that arrive get 503, and those in flight
//!    finish.
//! 3. Both have until the end of the grace period (`grace_period_seconds`). What couriers still hold then goes back to the
//!    queue; attempts that have not ended are interrupted, which the ledger records at the next start.
//! 4. Outcomes that wait for the ledger are written: until the end of the grace period, [`FLUSH_TIMEOUT`] at least.
//! 5. The engine is closed: connections to the broker within 2 s, the database when what was begun is written.

use super::engine::Engine;
use crate::http::drain::DrainListener;
use actix_web::dev::ServerHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long new connections are still accepted after the readiness probe has said no, so that load balancers notice.
const READINESS_DELAY: Duration = Duration::from_secs(1);
/// How long the HTTP server has to begin with connections it has accepted before it is told to stop, which drops them.
const ACCEPTED_DELAY: Duration = Duration::from_millis(100);
/// The least time for writing what waits for the ledger.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that is to be stopped.
pub struct Stopping {
    pub ready: watch::Sender<bool>,
    pub server_handle: ServerHandle,
    pub drain: DrainListener,
    /// The couriers, each of which returns how many attempts it interrupted, and what reads updates for registration.
    pub couriers: JoinSet<usize>,
    pub halt: CancellationToken,
    pub background: TaskTracker,
    pub engine: Engine,
}

impl Stopping {
    /// Stops everything, as the module says.
    pub async fn run(self, grace_period: Duration) {
        tracing::info!("stopping");
        self.ready.send_replace(false);
        let deadline = Instant::now() + grace_period;
        self.halt.cancel();
        let http = drain_http(self.server_handle, self.drain, deadline);
        let ((), interrupted) = tokio::join!(http, finish(self.couriers));
        if interrupted > 0 {
            tracing::warn!(
                late = interrupted,
                "attempts were cut off by the end of the grace period; they may have been sent"
            );
        }
        self.background.close();
        let flushed_by = deadline.max(Instant::now() + FLUSH_TIMEOUT);
        let _ = timeout_at(flushed_by, self.background.wait()).await;
        // Outcomes of what has been sent and acked must not be lost because the grace period is over.
        self.engine.close(flushed_by).await;
        tracing::info!("stopped");
    }
}

/// Finishes the requests in flight and answers those that arrive meanwhile with 503.
async fn drain_http(server: ServerHandle, drain: DrainListener, deadline: Instant) {
    sleep(READINESS_DELAY).await;
    server.pause().await;
    let drained = CancellationToken::new();
    let draining = tokio::spawn(drain.respond_until(drained.clone()));
    sleep(ACCEPTED_DELAY).await;
    // Idle connections are not waited for beyond the grace period.
    let _ = timeout_at(deadline, server.stop(true)).await;
    drained.cancel();
    let _ = draining.await;
}

/// Waits for the couriers; each keeps to the grace period itself. Returns how many attempts were interrupted.
async fn finish(mut couriers: JoinSet<usize>) -> usize {
    let mut interrupted = 0;
    while let Some(ended) = couriers.join_next().await {
        interrupted += ended.unwrap_or(0);
    }
    interrupted
}
