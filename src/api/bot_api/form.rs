//! Multipart as the Bot API server reads it.

use super::arguments::{CallArguments, FilePart};
use super::error::BotApiError;
use crate::http::body::{Body, content_type_header};
use crate::intake::spool::Spool;
use crate::multipart::{Boundary, MultipartError, PartHead, Parts, PartsError, Reading};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::stream::LocalBoxStream;

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
    let boundary = Boundary::of_content_type(header, Reading::AsTelegram).map_err(|_| MALFORMED)?;
    let (mut parts, body_error) = (Parts::new(body.pieces, &boundary, Reading::AsTelegram), body.error);
    let error_of = |error| match error {
        PartsError::Body(_) => body_error.rejection().into(),
        PartsError::Malformed(MultipartError::LongHeaders) => BotApiError::Http(431),
        PartsError::Malformed(_) => MALFORMED,
    };
    while let Some(PartHead { name, filename, content_type, .. }) = parts.next_part().await.map_err(error_of)? {
        let Some(filename) = filename else {
            let text = text(&mut parts, arguments.remaining_text_bytes(), error_of).await?;
            if content_type.starts_with(b"application/x-www-form-urlencoded") {
                arguments.add_form(&text)?
            } else {
                arguments.add(name, text)?
            }
            continue;
        };
        arguments.check_file_count()?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let mut writer = spool.begin_file(&name, file_limit);
        while let Some(piece) = parts.next_piece().await.map_err(error_of)? {
            writer.write(&piece)?;
        }
        let upload = writer.finish().await?;
        // A filename in another character set is as good as none (TDLib).
        arguments.add_file(FilePart { name, filename: String::from_utf8(filename).unwrap_or_default(), upload });
    }
    Ok(())
}

async fn text(
    parts: &mut Parts<LocalBoxStream<'static, Result<Bytes, PayloadError>>>,
    limit: usize,
    error_of: impl Fn(PartsError<PayloadError>) -> BotApiError,
) -> Result<Vec<u8>, BotApiError> {
    let mut text = Vec::new();
    while let Some(piece) = parts.next_piece().await.map_err(&error_of)? {
        if text.len() + piece.len() > limit {
            return Err(BotApiError::Http(413));
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}
