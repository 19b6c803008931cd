//! Reverse proxy: passes requests through to the Bot API server, both bodies as streams, for as long as both ends stay
//! connected.

use super::caller::BotApiCaller;
use super::error::BotApiError;
use crate::http::body::Body;
use crate::http::proxied::proxied_response;
use crate::http::state::AppState;
use crate::ports::{ByteStream, ProxyRequest, ProxyTarget};
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// The headers of a request that are passed on.
const FORWARDED_HEADERS: [&str; 8] = [
    "content-type",
    "content-length",
    "accept",
    "accept-encoding",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
];
/// How many pieces of a body are buffered between the two connections; when the buffer is full, the client is not read
/// (back-pressure).
const MAX_PIECES_IN_FLIGHT: usize = 4;
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(1800);
/// How long a request may still wait for its response once the graceful shutdown has begun.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Passes a request on while it arrives; its body may have `limit` bytes.
pub async fn stream(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    caller: &BotApiCaller,
    target: ProxyTarget,
    limit: u64,
) -> Result<HttpResponse, BotApiError> {
    let headers = request.headers();
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    let body = if has_body { Some(pump(Body::within(request, payload, limit, BODY_TIMEOUT)?)) } else { None };
    let forwarded = FORWARDED_HEADERS.into_iter().filter(|name| has_body || !name.starts_with("content-"));
    // What is looked through on its way back must come as it is.
    let is_masked = caller.stand_in.is_some() && matches!(target, ProxyTarget::Method(_));
    let forwarded = forwarded.filter(|name| !is_masked || *name != "accept-encoding");
    let forwarded = forwarded.filter_map(|name| Some((name, headers.get(name)?.as_bytes().to_vec())));
    let method = match *request.method() {
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "GET",
    };
    let (bot, query) = (caller.bot.name.clone(), request.query_string().to_owned());
    send(state, ProxyRequest { bot, target, method, query, headers: forwarded.collect(), body }).await
}

/// Sends a request from the runtime that the connections belong to. Dropping the future cancels it.
pub async fn send(state: &AppState, proxy_request: ProxyRequest) -> Result<HttpResponse, BotApiError> {
    let (proxy, bot) = (state.proxy.clone(), proxy_request.bot.clone());
    let mut task = AbortOnDropHandle::new(state.runtime.spawn(async move { proxy.forward(proxy_request).await }));
    let answered = tokio::select! {
        answered = &mut task => answered,
        // A long poll must not hold up the shutdown.
        () = state.stopping_for(SHUTDOWN_TIMEOUT) => {
            return Err(BotApiError::api(502, "Bad Gateway: restarting"));
        }
    };
    match answered {
        Ok(Ok(response)) => Ok(proxied_response(response)),
        Ok(Err(error)) => {
            tracing::warn!(%bot, %error, "a request could not be passed through");
            Err(BotApiError::api(502, "Bad Gateway: the Bot API server cannot be reached"))
        }
        Err(error) => {
            tracing::error!(%bot, %error, "passing a request through ended abnormally");
            Err(BotApiError::api(500, "Internal Server Error: something went wrong on our side"))
        }
    }
}

/// Carries a body from the thread that reads it to the runtime that sends it on.
fn pump(mut body: Body) -> ByteStream {
    let (pieces, received) = mpsc::channel::<io::Result<bytes::Bytes>>(MAX_PIECES_IN_FLIGHT);
    actix_web::rt::spawn(async move {
        while let Some(piece) = body.pieces.next().await {
            let failed = piece.is_err();
            let piece = piece.map_err(|_| io::Error::other("the body ended before its end"));
            if pieces.send(piece).await.is_err() || failed {
                return;
            }
        }
    });
    stream::unfold(received, |mut received| async move { received.recv().await.map(|piece| (piece, received)) }).boxed()
}
