//! The page in the browser on which the delivered pictures are seen, its events, and the pictures themselves.

use crate::domain::Sha256;
use crate::sandbox::files::{MediaFiles, send_content};
use crate::sandbox::log::{PageEvent, PageEvents};
use actix_web::http::header;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Nothing but what the page brings along may load or run, whatever a caption holds.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How often something is sent on a quiet stream of events, for proxies and browsers.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(async || asset("text/html", include_str!("page/index.html"))))
        .route("/sandbox/page.css", web::get().to(async || asset("text/css", include_str!("page/page.css"))))
        .route("/sandbox/page.js", web::get().to(async || asset("text/javascript", include_str!("page/page.js"))))
        .route("/sandbox/icon.svg", web::get().to(async || asset("image/svg+xml", include_str!("page/icon.svg"))))
        .route("/sandbox/events", web::get().to(send_events))
        .route("/sandbox/pictures/{sha256}", web::get().to(picture_by_digest));
}

fn asset(kind: &str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(format!("{kind}; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(content)
}

/// Server-Sent Events: `hello` with the run, `message` for one that was sent, changed or deleted, `reset`, and `lag` when some were missed.
async fn send_events(events: Data<PageEvents>) -> HttpResponse {
    let receiver = events.subscribe();
    let run = events.run;
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

async fn next_event(receiver: &mut Receiver<PageEvent>) -> Option<Bytes> {
    let text = match tokio::time::timeout(KEEP_ALIVE_INTERVAL, receiver.recv()).await {
        Err(_) => ": still here\n\n".to_owned(),
        Ok(Ok((name, data))) => format!("event: {name}\ndata: {data}\n\n"),
        Ok(Err(RecvError::Lagged(_))) => "event: lag\ndata: {}\n\n".to_owned(),
        Ok(Err(RecvError::Closed)) => return None,
    };
    Some(text.into())
}

async fn picture_by_digest(files: Data<MediaFiles>, request: HttpRequest, digest: Path<String>) -> HttpResponse {
    match digest.parse::<Sha256>() {
        Ok(sha256) => send_content(&files.store, request.headers(), &sha256).await,
        Err(_) => HttpResponse::NotFound().finish(),
    }
}
