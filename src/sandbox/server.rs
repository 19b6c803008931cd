//! The HTTP server: which path leads where.

use super::error::ApiError;
use super::form::percent_decoded;
use super::{State, call, control, methods, page};
use actix_web::dev::Server;
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may be idle, in seconds: longer than any client's pool keeps one.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// How long a stopping server waits for requests in flight, in seconds.
const STOP_WITHIN: u64 = 1;

/// Prepares the server on its listener; it must be awaited to run.
pub(super) fn bind(listener: TcpListener, state: Arc<State>) -> io::Result<Server> {
    let workers = state.options.workers.max(1);
    let state = Data::from(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(page::routes)
            .configure(control::routes)
            .default_service(web::to(bot_api))
    });
    let server = server.workers(workers).disable_signals().keep_alive(KEEP_ALIVE).shutdown_timeout(STOP_WITHIN);
    Ok(server.listen(listener)?.run())
}

/// The Bot API itself. Tokens and paths may come percent-encoded, slashes included.
async fn bot_api(state: Data<State>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let path = String::from_utf8_lossy(&percent_decoded(request.uri().path().as_bytes(), false)).into_owned();
    if let Some((token, file)) = path.strip_prefix("/file/bot").and_then(|rest| rest.split_once('/')) {
        return methods::download(&state, &request, token, file).await;
    }
    match path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) {
        Some((token, method)) => {
            call::answer(state.into_inner(), request, payload, token, method.trim_end_matches('/')).await
        }
        None => call::envelope(Err(ApiError::new(404, "Not Found"))),
    }
}
