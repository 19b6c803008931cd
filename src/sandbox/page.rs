//! The page on which the delivered pictures are seen, its events, and the pictures themselves.

use super::{Event, State, download};
use crate::domain::{ImageFormat, Sha256};
use actix_web::http::header;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Nothing but what the page brings along may load or run, whatever a caption holds.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A sign of life for proxies and browsers on a quiet stream of events.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(async || asset("text/html", include_str!("page/index.html"))))
        .route("/sandbox/page.css", web::get().to(async || asset("text/css", include_str!("page/page.css"))))
        .route("/sandbox/page.js", web::get().to(async || asset("text/javascript", include_str!("page/page.js"))))
        .route("/sandbox/icon.svg", web::get().to(async || asset("image/svg+xml", include_str!("page/icon.svg"))))
        .route("/sandbox/events", web::get().to(events))
        .route("/sandbox/pictures/{sha256}", web::get().to(picture_by_digest));
}

fn asset(kind: &str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(format!("{kind}; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(content)
}

/// Server-Sent Events: `hello` with the run, `message` for one that was sent, changed or deleted, `reset`, and `lag` when some were missed.
async fn events(state: Data<State>) -> HttpResponse {
    let receiver = state.events.subscribe();
    // Numbers start again with every run: a page that meets another one than before starts again too.
    let run = state.started_unix.as_millis();
    let hello = Bytes::from(format!("retry: 1000\nevent: hello\ndata: {{\"run\":{run}}}\n\n"));
    let body = stream::unfold((receiver, Some(hello)), |(mut receiver, hello)| async move {
        let chunk = match hello {
            Some(hello) => hello,
            None => next_event(&mut receiver).await?,
        };
        Some((Ok::<_, Infallible>(chunk), (receiver, None)))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(body))
}

async fn next_event(receiver: &mut Receiver<Event>) -> Option<Bytes> {
    let text = match tokio::time::timeout(SIGN_OF_LIFE, receiver.recv()).await {
        Err(_) => ": still here\n\n".to_owned(),
        Ok(Ok((name, data))) => format!("event: {name}\ndata: {data}\n\n"),
        Ok(Err(RecvError::Lagged(_))) => "event: lag\ndata: {}\n\n".to_owned(),
        Ok(Err(RecvError::Closed)) => return None,
    };
    Some(text.into())
}

async fn picture_by_digest(state: Data<State>, request: HttpRequest, digest: Path<String>) -> HttpResponse {
    match digest.parse::<Sha256>() {
        Ok(sha256) => content(&state, &request, &sha256).await,
        Err(_) => HttpResponse::NotFound().finish(),
    }
}

/// A kept content. Only images are named as what they are; nothing that was uploaded can run in the page's place.
pub(super) async fn content(state: &State, request: &HttpRequest, sha256: &Sha256) -> HttpResponse {
    let Ok(mut file) = File::open(state.store.path(sha256)).await else { return HttpResponse::NotFound().finish() };
    let mut head = [0; ImageFormat::SNIFF_BYTES];
    let read = file.read(&mut head).await.unwrap_or(0);
    let kind = match ImageFormat::sniff(&head[..read]) {
        Some(ImageFormat::Jpeg) => "image/jpeg",
        Some(ImageFormat::Png) => "image/png",
        Some(ImageFormat::Gif) => "image/gif",
        Some(ImageFormat::Bmp) => "image/bmp",
        Some(ImageFormat::Tiff) => "image/tiff",
        None => "application/octet-stream",
    };
    let (Ok(about), Ok(_)) = (file.metadata().await, file.rewind().await) else {
        return HttpResponse::NotFound().finish();
    };
    download::answer(file, about.len(), request.headers(), |response| {
        response
            .content_type(kind)
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
            .insert_header((header::CACHE_CONTROL, "max-age=31536000, immutable"));
    })
    .await
}
