//! Multipart as the Bot API server reads it.

use super::percent::decode;
use crate::api::bot_api::arguments::{CallArguments, FilePart};
use crate::api::bot_api::error::BotApiError;
use crate::http::body::{Body, BodyError};
use crate::intake::spool::Spool;
use actix_multipart::{Field, Multipart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;

/// The longest multipart boundary (Bot API server).
const BOUNDARY_LIMIT: usize = 70;
const BROKEN: BotApiError = BotApiError::Http(400);

/// Reads a body into the arguments. A part is a file only if it has a `filename`, if only an empty one.
pub async fn read(
    request: &HttpRequest,
    body: Body,
    spool: &Spool,
    file_limit: u64,
    arguments: &mut CallArguments,
) -> Result<(), BotApiError> {
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let boundary = header.split("boundary=").nth(1).unwrap_or("").split(';').next().unwrap_or("");
    if boundary.trim_matches('"').len() > BOUNDARY_LIMIT {
        return Err(BROKEN);
    }
    let ended = body.error;
    let mut payload = Payload::Stream { payload: body.pieces };
    let mut parts = Multipart::from_request(request, &mut payload).await.map_err(|_| BROKEN)?;
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| fault(&ended))?;
        let disposition = part.content_disposition().ok_or(BROKEN)?;
        let name = decode(disposition.get_name().ok_or(BROKEN)?.as_bytes());
        let filename = disposition.get_filename().map(|name| decode(name.as_bytes()));
        let Some(filename) = filename else {
            let is_form = part.content_type().is_some_and(|mime| *mime == "application/x-www-form-urlencoded");
            let text = text(&mut part, arguments.room(), &ended).await?;
            if is_form {
                arguments.add_form(&text)?
            } else {
                arguments.add(name, text)?
            }
            continue;
        };
        arguments.expect_file()?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let filename = String::from_utf8_lossy(&filename).into_owned();
        let mut writer = spool.begin_file(&name, file_limit);
        while let Some(piece) = part.next().await {
            writer.write(&piece.map_err(|_| fault(&ended))?)?;
        }
        let upload = writer.finish().await?;
        arguments.add_file(FilePart { name, filename, upload });
    }
    Ok(())
}

async fn text(part: &mut Field, room: usize, ended: &BodyError) -> Result<Vec<u8>, BotApiError> {
    let mut text = Vec::new();
    while let Some(piece) = part.next().await {
        let piece = piece.map_err(|_| fault(ended))?;
        if text.len() + piece.len() > room {
            return Err(BotApiError::Http(413));
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

/// A body that came whole and cannot be read was made wrongly.
fn fault(ended: &BodyError) -> BotApiError {
    if ended.is_set() { ended.rejection().into() } else { BROKEN }
}
