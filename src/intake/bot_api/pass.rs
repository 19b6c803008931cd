//! What is passed through: both bodies as streams, for as long as both ends hold on.

use super::super::http::Shared;
use super::super::http::body::Body;
use super::reply::Fault;
use super::stopping;
use crate::domain::BotName;
use crate::ports::{ByteStream, ProxyRequest, ProxyResponse, ProxyTarget};
use actix_web::body::SizedStream;
use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The headers of a request that are passed on.
const HEADERS: [&str; 8] = [
    "content-type",
    "content-length",
    "accept",
    "accept-encoding",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
];
/// How many pieces of a body are on their way between the two connections.
const PIECES: usize = 4;
/// How long a request's body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(1800);
/// How long a request may still wait for its answer once the process has begun to stop.
const STOP_AFTER: Duration = Duration::from_secs(3);

/// Passes a request on as it comes.
pub async fn stream(
    shared: &Shared,
    request: &HttpRequest,
    payload: Payload,
    bot: BotName,
    target: ProxyTarget,
    limit: u64,
) -> Result<HttpResponse, Fault> {
    let headers = request.headers();
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    let body = if has_body { Some(pump(Body::within(request, payload, limit, BODY_PATIENCE)?)) } else { None };
    let wanted = HEADERS.into_iter().filter(|name| has_body || !name.starts_with("content-"));
    let found = wanted.filter_map(|name| Some((name, headers.get(name)?.as_bytes().to_vec())));
    let method = match *request.method() {
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "GET",
    };
    let query = request.query_string().to_owned();
    send(shared, ProxyRequest { bot, target, method, query, headers: found.collect(), body }).await
}

/// Sends it from the runtime that the connections belong to. Who stops waiting takes it along.
pub async fn send(shared: &Shared, proxy_request: ProxyRequest) -> Result<HttpResponse, Fault> {
    let (proxy, bot) = (shared.proxy.clone(), proxy_request.bot.clone());
    let mut task = Tied(shared.runtime.spawn(async move { proxy.forward(proxy_request).await }));
    let answered = tokio::select! {
        answered = &mut task.0 => answered,
        // A long poll must not hold up the stop.
        () = stopping(shared.ready.clone(), STOP_AFTER) => {
            return Err(Fault::api(502, "Bad Gateway: restarting"));
        }
    };
    match answered {
        Ok(Ok(passed)) => Ok(answer(passed)),
        Ok(Err(error)) => {
            tracing::warn!(%bot, %error, "a request could not be passed through");
            Err(Fault::api(502, "Bad Gateway: the Bot API server cannot be reached"))
        }
        Err(error) => {
            tracing::error!(%bot, %error, "passing a request through ended abnormally");
            Err(Fault::api(500, "Internal Server Error: something went wrong on our side"))
        }
    }
}

/// A task that ends with whoever waits for it.
struct Tied<T>(JoinHandle<T>);

impl<T> Drop for Tied<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn answer(passed: ProxyResponse) -> HttpResponse {
    let ProxyResponse { status, headers, body } = passed;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    let mut length = None;
    for (name, value) in headers {
        match name {
            "content-length" => length = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()),
            name => _ = response.append_header((name, value)),
        }
    }
    match length {
        Some(length) => response.body(SizedStream::new(length, body)),
        None => response.streaming(body),
    }
}

/// Carries a body from the thread that reads it to the one that sends it on.
fn pump(mut body: Body) -> ByteStream {
    let (pieces, received) = mpsc::channel::<io::Result<bytes::Bytes>>(PIECES);
    actix_web::rt::spawn(async move {
        while let Some(piece) = body.pieces.next().await {
            let broken = piece.is_err();
            let piece = piece.map_err(|_| io::Error::other("the body ended before its end"));
            if pieces.send(piece).await.is_err() || broken {
                return;
            }
        }
    });
    stream::unfold(received, |mut received| async move { received.recv().await.map(|piece| (piece, received)) }).boxed()
}

/// The path of a file, encoded anew; `None` of one that would lead elsewhere.
pub fn file_path(decoded: &[u8]) -> Option<String> {
    let mut path = String::with_capacity(decoded.len());
    for segment in decoded.split(|b| *b == b'/') {
        if segment == b"." || segment == b".." {
            return None;
        }
    }
    for byte in decoded {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => path.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => path.push(char::from(*byte)),
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_paths_are_encoded_anew_and_lead_nowhere_else() {
        assert_eq!(file_path(b"documents/file_3.txt").as_deref(), Some("documents/file_3.txt"));
        assert_eq!(file_path(b"a b?c#d%\xff").as_deref(), Some("a%20b%3Fc%23d%25%FF"));
        for bad in [&b"../x"[..], b"a/../../bot1:x/getMe", b"./a", b".."] {
            assert_eq!(file_path(bad), None);
        }
    }
}
