//! The native HTTP API on actix-web.
//!
//! The work itself is done on the runtime that called [`serve`], not on the workers' own: a caller that hangs up does
//! not leave an acceptance half done, and the engine's connections belong to one runtime.

pub(super) mod body;
mod caller;
mod changes;
mod docs;
mod door;
mod files;
mod images;
mod json;
mod multipart;
mod notifications;
mod observe;
mod probes;
mod problem;
mod query;
mod recipients;
mod request;
mod schema;
mod view;
mod webhook;
mod yaml;

pub(super) use body::Body;
pub(super) use caller::Caller;
pub use docs::openapi_yaml;
pub use door::Door;

use super::{Code, Intake, Rejection, bot_api, whatsmate};
use crate::domain::BotName;
use crate::ports::{Acceptor, Blobs, BotApiProxy, Ledger, MediaIndex, Queue, Recipients};
use crate::registration::Registrar;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use actix_multipart::MultipartConfig;
use actix_web::dev::Server;
use actix_web::guard;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer, Route};
use caller::Keys;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Threads that answer requests; more than two, since each may have to wait for a slow disk while it spools an upload.
const WORKERS: usize = 4;
/// Threads per worker that read the headers of images.
const DISK_THREADS: usize = 2;
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a refused upload is read on and thrown away, so that the client gets to see the answer.
const LINGER: Duration = Duration::from_secs(10);
/// Connections per worker; each may hold up to some 300 kB while it uploads.
const CONNECTIONS: usize = 10_000;
/// What the form parser holds of one request.
const FORM_BUFFER: usize = 8 * 1024;

/// What the API works on.
#[derive(Clone)]
pub struct HttpState {
    /// The clerk.
    pub intake: Arc<Intake>,
    /// What became of notifications.
    pub ledger: Arc<dyn Ledger>,
    /// Takes finished ones in again.
    pub acceptor: Arc<dyn Acceptor>,
    /// Image bytes.
    pub blobs: Arc<dyn Blobs>,
    /// The recipient book.
    pub recipients: Arc<dyn Recipients>,
    /// Take the updates of bots that have a webhook.
    pub registrars: Arc<BTreeMap<BotName, Arc<Registrar>>>,
    /// Knows the file_ids of images.
    pub media: Arc<dyn MediaIndex>,
    /// The way to the Bot API for what is no delivery.
    pub proxy: Arc<dyn BotApiProxy>,
    /// Asked for its depth and its health.
    pub queue: Arc<dyn Queue>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Bots, keys, limits.
    pub settings: Arc<Settings>,
    /// Whether the process wants requests: false while it starts and as the first thing when it stops.
    pub ready: watch::Receiver<bool>,
}

/// [`HttpState`] with what is made of it once.
pub(super) struct Shared {
    state: HttpState,
    keys: Keys,
    /// Who may call the WhatsMate face.
    pub(super) whatsmate: whatsmate::Clients,
    pub(super) runtime: Handle,
}

impl std::ops::Deref for Shared {
    type Target = HttpState;

    fn deref(&self) -> &HttpState {
        &self.state
    }
}

impl Shared {
    /// Does some work on the main runtime, to its end whatever becomes of the caller.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Rejection> {
        self.runtime.spawn(work).await.map_err(|error| {
            tracing::error!(%error, "work for a request ended abnormally");
            Rejection::new(Code::Internal, "Something went wrong on our side; whether it took effect is not known.")
        })
    }
}

/// Serves the API until the returned server is stopped by its handle; it must be awaited or spawned. Call it on the
/// runtime that the engine lives on. A graceful stop waits up to the grace period for requests in flight. Without
/// `counter` only the process's own health and metrics are served: that is all a worker has to say.
pub fn serve(listener: TcpListener, state: HttpState, counter: bool) -> io::Result<Server> {
    let grace = state.settings.grace_period.as_secs();
    let keys = Keys::new(&state.settings.api_keys);
    let whatsmate = whatsmate::Clients::new(&state.settings.whatsmate_clients);
    let face = Data::new(bot_api::Face::new(&state.settings.bots));
    let shared = Data::new(Shared { state, keys, whatsmate, runtime: Handle::current() });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(face.clone())
            .app_data(MultipartConfig::new().buffer_limit(FORM_BUFFER))
            .wrap(from_fn(observe::observe))
            .configure(|config| if counter { routes(config) } else { probes::routes(config) })
            .default_service(web::to(not_found))
    });
    let server = server
        .workers(WORKERS)
        .worker_max_blocking_threads(DISK_THREADS)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER)
        .keep_alive(KEEP_ALIVE)
        // A caller that hangs up takes its long poll along.
        .h1_allow_half_closed(false)
        .shutdown_timeout(grace)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v1/notifications")
                .route(web::post().to(notifications::create))
                .route(read().to(notifications::list))
                .default_service(web::to(|| not_allowed("GET, HEAD, POST"))),
        )
        .service(
            web::resource("/v1/notifications/{id}")
                .route(read().to(notifications::get))
                .route(web::delete().to(notifications::cancel))
                .default_service(web::to(|| not_allowed("GET, HEAD, DELETE"))),
        )
        .service(
            web::resource("/v1/notifications/{id}/retry")
                .route(web::post().to(notifications::retry))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .service(
            web::resource("/v1/notifications/{id}/edit")
                .route(web::post().to(changes::edit))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .service(
            web::resource("/v1/notifications/{id}/delete")
                .route(web::post().to(changes::delete))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .service(
            web::resource("/v1/images")
                .route(web::put().to(images::put))
                .default_service(web::to(|| not_allowed("PUT"))),
        )
        .service(
            web::resource("/v1/images/{sha256}")
                .route(read().to(images::get))
                .default_service(web::to(|| not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/v1/files/{file_id}")
                .route(read().to(files::get))
                .default_service(web::to(|| not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/v1/recipients")
                .route(web::put().to(recipients::put))
                .route(read().to(recipients::list))
                .route(web::delete().to(recipients::delete))
                .default_service(web::to(|| not_allowed("GET, HEAD, PUT, DELETE"))),
        )
        .service(
            web::resource("/webhook/{bot}")
                .route(web::post().to(webhook::update))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .configure(whatsmate::routes)
        .configure(probes::routes)
        .configure(docs::routes)
        .configure(bot_api::routes);
}

/// A route for `GET`, and for `HEAD`, which gets the same answer without its body.
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn not_allowed_to_write() -> HttpResponse {
    not_allowed("GET, HEAD").await
}

async fn not_found() -> Result<HttpResponse, Rejection> {
    Err(Rejection::new(Code::NotFound, "There is nothing at this address. The API is described at /docs."))
}

async fn not_allowed(allow: &'static str) -> HttpResponse {
    let rejection = Rejection::new(Code::MethodNotAllowed, format!("This address takes {allow}."));
    let mut response = problem::response(&rejection);
    response
        .headers_mut()
        .insert(actix_web::http::header::ALLOW, actix_web::http::header::HeaderValue::from_static(allow));
    response
}
