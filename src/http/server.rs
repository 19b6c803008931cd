//! The HTTP server: its threads, timeouts and limits.

use super::access_log::access_log;
use super::connections::{Connections, WatchedStream};
use super::problem;
use super::routing::not_found;
use super::state::AppState;
use crate::intake::rejection::ProblemCode;
use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Threads that serve requests: more than two, since each may have to wait for a slow disk while it spools an upload.
pub const WORKER_THREADS: usize = 4;
/// Threads per worker for blocking work.
const BLOCKING_THREADS_PER_WORKER: usize = 2;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long the rest of a rejected upload is read and thrown away, so that the client gets to see the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(10);
/// What a caller is told for whose connection there is no room.
const TOO_MANY_CONNECTIONS: &str =
    "There are too many connections, or too many from this address. Close those that are not needed, and try again.";

/// Starts a server for these routes; it serves while it is awaited or spawned, until its handle stops it. A graceful
/// shutdown waits up to the grace period for requests in flight. Every connection is one of `connections`.
pub fn start(
    listener: TcpListener,
    state: Data<AppState>,
    connections: Arc<Connections>,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let grace_period = state.settings.grace_period.as_secs();
    let server = Server::build()
        .workers(WORKER_THREADS)
        .worker_max_blocking_threads(BLOCKING_THREADS_PER_WORKER)
        // It is for the register to say who is admitted: a worker that takes no more keeps everybody waiting.
        .max_concurrent_connections(usize::MAX)
        .shutdown_timeout(grace_period)
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("http", listener, move || {
        let app = App::new()
            .app_data(state.clone())
            .wrap(from_fn(access_log))
            .configure(routes.clone())
            .default_service(web::to(not_found));
        let app = map_config(app.into_factory().map_err(|error| error.error_response()), |()| AppConfig::default());
        let (connections, stopping) = (connections.clone(), stopping.clone());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE_TIMEOUT)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(LINGER_TIMEOUT)
            // A caller that hangs up cancels its long poll.
            .h1_allow_half_closed(false)
            .on_connect_ext(|stream: &WatchedStream, data| _ = data.insert(stream.connection().clone()))
            .h1(app);
        fn_service(move |socket: TcpStream| ready(admit(&connections, socket))).and_then(http)
    })?;
    Ok(server.run())
}

/// The connection and its address. One for which there is no room is told so and closed.
fn admit(
    connections: &Arc<Connections>,
    socket: TcpStream,
) -> Result<(WatchedStream, Option<SocketAddr>), DispatchError> {
    let address = socket.peer_addr().ok();
    match connections.admit(address.map(|address| address.ip())) {
        Some(admission) => Ok((WatchedStream::new(socket, admission), address)),
        None => {
            let response = problem::raw_response(ProblemCode::Unavailable, TOO_MANY_CONNECTIONS);
            // Whoever cannot be told at once is not told.
            let _ = socket.try_write(&response);
            Err(DispatchError::DisconnectTimeout)
        }
    }
}
