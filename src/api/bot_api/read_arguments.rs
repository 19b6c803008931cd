//! Reads a call's arguments as the Bot API server does: query string, urlencoded form, JSON and multipart all become one
//! flat list of texts, of which the first of a name wins; a body of any other content type becomes a file named `file`.

use super::arguments::{BESIDE_FILE_BYTES, CallArguments, FilePart};
use super::content_type::BodyKind;
use super::error::BotApiError;
use super::form;
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
    match BodyKind::of(request) {
        BodyKind::Multipart => form::read(request, body, spool, file_limit, &mut arguments).await?,
        BodyKind::Form => arguments.add_form(&whole(body, &arguments).await?)?,
        BodyKind::Json => arguments.add_json(&whole(body, &arguments).await?)?,
        BodyKind::File => file(body, spool, file_limit, &mut arguments).await?,
    }
    Ok(arguments)
}

/// A body that is all text, in memory.
async fn whole(body: Body, arguments: &CallArguments) -> Result<Vec<u8>, BotApiError> {
    body.collect(arguments.remaining_text_bytes(), || BotApiError::Http(413)).await
}

/// A body that is a file, unless it is empty.
async fn file(
    mut body: Body,
    spool: &Spool,
    file_limit: u64,
    arguments: &mut CallArguments,
) -> Result<(), BotApiError> {
    const NAME: &str = "file";
    let mut writer = None;
    while let Some(piece) = body.pieces.next().await {
        let piece = piece.map_err(|_| BotApiError::from(body.error.rejection()))?;
        writer.get_or_insert_with(|| spool.begin_file(NAME, file_limit)).write(&piece)?;
    }
    if let Some(writer) = writer {
        let upload = writer.finish().await?;
        arguments.add_file(FilePart { name: NAME.to_owned(), filename: String::new(), upload });
    }
    Ok(())
}
