//! The bare handler: the service's HTTP server with nothing behind it but a hash of the body.

use crate::domain::Sha256;
use crate::http::server::WORKER_THREADS;
use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::web::{self, Payload};
use actix_web::{App, HttpResponse};
use futures_util::StreamExt;
use sha2::Digest;
use std::io;
use std::net::TcpListener;

/// Serves until told to stop.
///
/// # Errors
/// The server cannot be started, or ends by itself.
pub async fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
    let server = Server::build().workers(WORKER_THREADS).disable_signals().listen("bare", listener, || {
        let app = App::new().default_service(web::to(hash)).into_factory();
        let app = map_config(app.map_err(|error| error.error_response()), |()| AppConfig::default());
        HttpService::build().h1(app).tcp()
    })?;
    let server = server.run();
    let handle = server.handle();
    let mut server = tokio::spawn(server);
    tokio::select! {
        ended = &mut server => return ended.map_err(io::Error::other)?,
        () = stop => handle.stop(false).await,
    }
    server.await.map_err(io::Error::other)?
}

/// Reads and hashes the body.
async fn hash(mut body: Payload) -> actix_web::Result<HttpResponse> {
    let mut hash = sha2::Sha256::new();
    while let Some(piece) = body.next().await {
        hash.update(&piece?);
    }
    let digest = Sha256::from_bytes(hash.finalize().into());
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "sha256": digest.to_string() })))
}
