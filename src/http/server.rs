//! The HTTP server: its threads, timeouts and limits.

use super::access_log::access_log;
use super::routing::not_found;
use super::state::AppState;
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Threads that serve requests: more than two, since each may have to wait for a slow disk while it spools an upload.
const WORKER_THREADS: usize = 4;
/// Threads per worker for blocking work.
const BLOCKING_THREADS_PER_WORKER: usize = 2;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long the rest of a rejected upload is read and thrown away, so that the client gets to see the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections per worker; each may hold up to some 300 kB while it uploads.
const MAX_CONNECTIONS_PER_WORKER: usize = 10_000;

/// Starts a server for these routes; it serves while it is awaited or spawned, until its handle stops it. A graceful
/// shutdown waits up to the grace period for requests in flight.
pub fn start(
    listener: TcpListener,
    state: Data<AppState>,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let grace_period = state.settings.grace_period.as_secs();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(access_log))
            .configure(routes.clone())
            .default_service(web::to(not_found))
    });
    let server = server
        .workers(WORKER_THREADS)
        .worker_max_blocking_threads(BLOCKING_THREADS_PER_WORKER)
        .max_connections(MAX_CONNECTIONS_PER_WORKER)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER_TIMEOUT)
        .keep_alive(KEEP_ALIVE_TIMEOUT)
        // A caller that hangs up cancels its long poll.
        .h1_allow_half_closed(false)
        .shutdown_timeout(grace_period)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
