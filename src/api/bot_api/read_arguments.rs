//! Reads a call's arguments as the Bot API server does: query string, urlencoded form, JSON and multipart all become one
//! flat list of texts, of which the first of a name wins; bodies of other content types are ignored.

use super::arguments::{BESIDE_FILE_BYTES, CallArguments, TEXT_LIMIT_BYTES};
use super::content_type::content_type;
use super::error::BotApiError;
use super::{form, json};
use crate::http::body::Body;
use crate::intake::spool::Spool;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use futures_util::StreamExt;
use std::time::Duration;

/// The slowest connection whose upload may finish.
const SLOWEST_BYTES_PER_SECOND: u64 = 35_000;
/// How long the body of the smallest request may take.
const MIN_TIMEOUT_SECONDS: u64 = 300;

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
    let timeout = Duration::from_secs(MIN_TIMEOUT_SECONDS.max(limit / SLOWEST_BYTES_PER_SECOND));
    let body = Body::within(request, payload, limit, timeout)?;
    match content_type(request).as_str() {
        "application/x-www-form-urlencoded" => arguments.add_form(&whole(body).await?)?,
        "application/json" => match String::from_utf8(whole(body).await?) {
            Ok(text) => {
                for (name, value) in json::members(&text) {
                    arguments.add(name.into(), value.into())?;
                }
            }
            Err(_) => arguments.has_invalid_utf8 = true,
        },
        "multipart/form-data" => form::read(request, body, spool, file_limit, &mut arguments).await?,
        _ => discard(body).await?,
    }
    match arguments.has_invalid_utf8 {
        true => Err(BotApiError::bad("strings must be encoded in UTF-8")),
        false => Ok(arguments),
    }
}

/// A body that is all text, in memory.
async fn whole(body: Body) -> Result<Vec<u8>, BotApiError> {
    body.collect(TEXT_LIMIT_BYTES, || BotApiError::Http(413)).await
}

/// Reads a body that means nothing to its end.
async fn discard(mut body: Body) -> Result<(), BotApiError> {
    while let Some(piece) = body.pieces.next().await {
        piece.map_err(|_| BotApiError::from(body.error.rejection()))?;
    }
    Ok(())
}
