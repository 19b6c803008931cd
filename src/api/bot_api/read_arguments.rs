//! What a call was given, read as the Bot API server reads it: query string, urlencoded form, JSON and multipart all
//! become one flat list of texts, of which the first of a name wins; other content types are ignored.

use super::arguments::{CallArguments, TEXT_LIMIT_BYTES};
use super::error::BotApiError;
use super::{form, json};
use crate::http::body::Body;
use crate::intake::spool::Spool;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use futures_util::StreamExt;
use std::time::Duration;

/// What comes with the largest file, in bytes.
const BESIDE_FILE_BYTES: u64 = 1 << 20;
/// The slowest connection that is waited for, in bytes per second.
const SLOWEST_BYTES_PER_SECOND: u64 = 35_000;
/// How long a body may take at least, in seconds.
const LEAST_TIMEOUT_SECONDS: u64 = 300;

/// Reads a request; files go to disk as they arrive, each of at most `file_limit` bytes.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    spool: &Spool,
    file_limit: u64,
) -> Result<CallArguments, BotApiError> {
    let mut arguments = CallArguments::new();
    arguments.add_form(request.query_string().as_bytes())?;
    let limit = file_limit + BESIDE_FILE_BYTES;
    let timeout = Duration::from_secs(LEAST_TIMEOUT_SECONDS.max(limit / SLOWEST_BYTES_PER_SECOND));
    let body = Body::within(request, payload, limit, timeout)?;
    match content_type(request).as_str() {
        "application/x-www-form-urlencoded" => arguments.add_form(&whole(body).await?)?,
        "application/json" => match String::from_utf8(whole(body).await?) {
            Ok(text) => {
                for (name, value) in json::members(&text) {
                    arguments.add(name.into(), value.into())?;
                }
            }
            Err(_) => arguments.garbled = true,
        },
        "multipart/form-data" => form::read(request, body, spool, file_limit, &mut arguments).await?,
        _ => ignored(body).await?,
    }
    match arguments.garbled {
        true => Err(BotApiError::bad("strings must be encoded in UTF-8")),
        false => Ok(arguments),
    }
}

/// The content type without its parameters, in lower case.
fn content_type(request: &HttpRequest) -> String {
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    header.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// A body that is all text.
async fn whole(body: Body) -> Result<Vec<u8>, BotApiError> {
    body.collect(TEXT_LIMIT_BYTES, || BotApiError::Http(413)).await
}

/// A body that means nothing.
async fn ignored(mut body: Body) -> Result<(), BotApiError> {
    while let Some(piece) = body.pieces.next().await {
        piece.map_err(|_| BotApiError::from(body.error.rejection()))?;
    }
    Ok(())
}
