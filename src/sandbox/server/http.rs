//! The routes of the HTTP server.

use super::api_response::error_response;
use super::bot_api_request::{answer, download};
use super::control;
use crate::sandbox::arguments::percent_decoded;
use crate::sandbox::page;
use crate::sandbox::sandbox_error::SandboxError;
use crate::sandbox::state::SandboxState;
use actix_web::dev::Server;
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may be idle: longer than any client's pool keeps one.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a stopping server waits for requests in flight.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 1;

/// Prepares the server on its listener; it must be awaited to run.
pub fn bind(listener: TcpListener, state: Arc<SandboxState>) -> io::Result<Server> {
    let workers = state.options.workers.max(1);
    let (files, events) = (Data::from(state.files.clone()), Data::from(state.events.clone()));
    let state = Data::from(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(files.clone())
            .app_data(events.clone())
            .app_data(state.clone())
            .configure(page::routes)
            .configure(control::routes)
            .default_service(web::to(bot_api))
    });
    let server = server.workers(workers).disable_signals().keep_alive(KEEP_ALIVE_TIMEOUT);
    Ok(server.shutdown_timeout(SHUTDOWN_TIMEOUT_SECONDS).listen(listener)?.run())
}

/// The Bot API itself. Tokens and paths may come percent-encoded, slashes included.
async fn bot_api(state: Data<SandboxState>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let path = String::from_utf8_lossy(&percent_decoded(request.uri().path().as_bytes())).into_owned();
    if let Some((token, file)) = path.strip_prefix("/file/bot").and_then(|rest| rest.split_once('/')) {
        return download(&state, &request, token, file).await;
    }
    match path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) {
        Some((token, method)) => {
            answer(state.into_inner(), request, payload, token, method.trim_end_matches('/')).await
        }
        None => error_response(SandboxError::new(404, "Not Found")),
    }
}
