//! Reads a call's arguments as the Bot API server does: query string, urlencoded form, JSON and multipart all become one
//! flat list of texts, of which the first of a name wins; a body of any other content type becomes a file named `file`.

use super::arguments::{BESIDE_FILE_BYTES, CallArguments, FilePart};
use super::content_type::BodyKind;
use super::error::BotApiError;
use super::face::BotApiFace;
use super::form;
use crate::domain::FileContent;
use crate::http::body::Body;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::{Spool, UploadWriter};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use futures_util::StreamExt;
use std::time::Duration;

/// Up to this length a body that is all text is kept in memory while it arrives.
const SMALL_BODY_BYTES: usize = 64 * 1024;
/// The slowest connection whose upload may finish.
const SLOWEST_BYTES_PER_SECOND: u64 = 35_000;
/// How long the body of the smallest request may take.
const MIN_TIMEOUT_SECONDS: u64 = 300;

/// Reads a request; files go to the spool as they arrive, each of at most `file_limit` bytes.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    face: &BotApiFace,
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
        BodyKind::Form => {
            let body = whole(body, face, spool, &mut arguments).await?;
            arguments.add_form(&body)?;
        }
        BodyKind::Json => {
            let body = whole(body, face, spool, &mut arguments).await?;
            arguments.add_json(&body)?;
        }
        BodyKind::File => file(body, spool, file_limit, &mut arguments).await?,
    }
    Ok(arguments)
}

/// A body that is all text. A large one waits in the spool until it is whole and few others are read.
async fn whole(
    mut body: Body,
    face: &BotApiFace,
    spool: &Spool,
    arguments: &mut CallArguments,
) -> Result<Vec<u8>, BotApiError> {
    let (mut text, mut spooled, mut length) = (Vec::new(), None, 0);
    while let Some(piece) = body.pieces.next().await {
        let piece = piece.map_err(|_| BotApiError::from(body.error.rejection()))?;
        length += piece.len();
        if length > arguments.remaining_text_bytes() {
            return Err(BotApiError::Http(413));
        }
        if length <= SMALL_BODY_BYTES {
            text.extend_from_slice(&piece);
            continue;
        }
        let writer = match &mut spooled {
            Some(writer) => writer,
            None => {
                let writer: &mut UploadWriter = spooled.insert(spool.begin_file("body", u64::MAX));
                writer.write(&std::mem::take(&mut text))?;
                writer
            }
        };
        writer.write(&piece)?;
    }
    let Some(writer) = spooled else { return Ok(text) };
    let upload = writer.finish().await?;
    arguments.hold = face.large_calls.clone().acquire_owned().await.ok();
    let text = match upload.spooled().content {
        FileContent::Memory(bytes) => Ok(bytes.to_vec()),
        FileContent::File(path) => tokio::fs::read(path).await,
    };
    text.map_err(|_| {
        Rejection::new(ProblemCode::Unavailable, "What was received could not be read again; send it once more.").into()
    })
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
