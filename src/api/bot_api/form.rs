//! Multipart as the Bot API server reads it.

use super::arguments::{CallArguments, FilePart};
use super::content_type::content_type_header;
use super::error::BotApiError;
use super::percent::decode;
use crate::http::body::{Body, BodyError};
use crate::intake::spool::Spool;
use actix_multipart::{Field, Multipart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;

/// The longest multipart boundary (Bot API server).
const BOUNDARY_LIMIT_BYTES: usize = 70;
/// The error for a body that is not valid multipart.
const MALFORMED: BotApiError = BotApiError::Http(400);

/// Reads a body into the arguments. A part is a file only if it has a `filename`, if only an empty one.
pub async fn read(
    request: &HttpRequest,
    body: Body,
    spool: &Spool,
    file_limit: u64,
    arguments: &mut CallArguments,
) -> Result<(), BotApiError> {
    let header = content_type_header(request);
    let boundary = header.split("boundary=").nth(1).unwrap_or("").split(';').next().unwrap_or("");
    if boundary.trim_matches('"').len() > BOUNDARY_LIMIT_BYTES {
        return Err(MALFORMED);
    }
    let body_error = body.error;
    let mut payload = Payload::Stream { payload: body.pieces };
    let mut parts = Multipart::from_request(request, &mut payload).await.map_err(|_| MALFORMED)?;
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| error_of(&body_error))?;
        let disposition = part.content_disposition().ok_or(MALFORMED)?;
        let name = decode(disposition.get_name().ok_or(MALFORMED)?.as_bytes());
        let filename = disposition.get_filename().map(|name| decode(name.as_bytes()));
        let Some(filename) = filename else {
            let is_form = part.content_type().is_some_and(|mime| *mime == "application/x-www-form-urlencoded");
            let text = text(&mut part, arguments.remaining_text_bytes(), &body_error).await?;
            if is_form {
                arguments.add_form(&text)?
            } else {
                arguments.add(name, text)?
            }
            continue;
        };
        arguments.check_file_count()?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let filename = String::from_utf8_lossy(&filename).into_owned();
        let mut writer = spool.begin_file(&name, file_limit);
        while let Some(piece) = part.next().await {
            writer.write(&piece.map_err(|_| error_of(&body_error))?)?;
        }
        let upload = writer.finish().await?;
        arguments.add_file(FilePart { name, filename, upload });
    }
    Ok(())
}

async fn text(part: &mut Field, limit: usize, body_error: &BodyError) -> Result<Vec<u8>, BotApiError> {
    let mut text = Vec::new();
    while let Some(piece) = part.next().await {
        let piece = piece.map_err(|_| error_of(body_error))?;
        if text.len() + piece.len() > limit {
            return Err(BotApiError::Http(413));
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

/// Why a body cannot be read: it was cut off, or it came whole and is malformed.
fn error_of(body_error: &BodyError) -> BotApiError {
    if body_error.is_set() { body_error.rejection().into() } else { MALFORMED }
}
