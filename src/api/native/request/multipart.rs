//! Reads forms: files are spooled to disk as they arrive (streaming), texts are kept in memory.

use super::fields::Fields;
use super::names::{check_name, is_file_field};
use super::uploaded_files::{UploadedFiles, readable_filename};
use super::url_encoded::{TEXTS_LIMIT_BYTES, TEXTS_TOO_LONG};
use crate::http::body::{Body, BodyError, content_type_header};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::Spool;
use crate::multipart::{Boundary, MultipartError, PartHead, Parts, PartsError, Reading};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::stream::LocalBoxStream;
use serde_json::Value;

/// Reads a body into files, and into fields beside those that there are; the files of an album have any name, by which
/// `attach://` refers to them.
pub async fn read(
    request: &HttpRequest,
    body: Body,
    spool: &Spool,
    mut fields: Fields,
) -> Result<(Fields, UploadedFiles), Rejection> {
    let boundary = Boundary::of_content_type(content_type_header(request), Reading::Lenient).map_err(malformed)?;
    let mut form = Form { parts: Parts::new(body.pieces, &boundary, Reading::Lenient), body_error: body.error };
    let (mut files, mut left) = (UploadedFiles::default(), TEXTS_LIMIT_BYTES);
    while let Some(head) = form.next_part().await? {
        let name = String::from_utf8_lossy(&head.name).into_owned();
        check_encoding(&head, &name)?;
        if !is_file(&head) {
            check_name(&name)?;
            let value = form.text(&name, &mut left).await?;
            fields.insert(&name, Value::String(value))?;
        } else if check_name(&name).is_ok() && !is_file_field(&name) {
            let detail = format!("{name} is a text, not a file. Send it without a filename.");
            return Err(Rejection::field(ProblemCode::InvalidField, name, detail));
        } else {
            form.spool_file(head, name, &mut files, spool).await?;
        }
    }
    Ok((fields, files))
}

/// A part is a file if it has a filename (Bot API server), and here also if its type says that it is one.
fn is_file(part: &PartHead) -> bool {
    let essence = part.content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let is_media = [&b"image/"[..], b"video/", b"audio/"].iter().any(|kind| essence.starts_with(kind));
    part.filename.is_some() || is_media || essence == b"application/octet-stream"
}

/// HTTP carries bytes as they are; a part that says it is encoded would be taken for something else (RFC 7578 4.7).
fn check_encoding(part: &PartHead, name: &str) -> Result<(), Rejection> {
    let encoding = part.transfer_encoding.as_deref();
    let is_plain =
        |encoding: &[u8]| [&b"7bit"[..], b"8bit", b"binary"].iter().any(|e| e.eq_ignore_ascii_case(encoding));
    if encoding.is_none_or(is_plain) {
        return Ok(());
    }
    let detail = format!("The part {name} has a Content-Transfer-Encoding. Send its bytes as they are, without one.");
    Err(Rejection::field(ProblemCode::InvalidField, name, detail))
}

/// The form that is being read.
struct Form {
    parts: Parts<LocalBoxStream<'static, Result<Bytes, PayloadError>>>,
    body_error: BodyError,
}

impl Form {
    async fn next_part(&mut self) -> Result<Option<PartHead>, Rejection> {
        self.parts.next_part().await.map_err(|error| self.rejection_of(error))
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, Rejection> {
        self.parts.next_piece().await.map_err(|error| self.rejection_of(error))
    }

    /// Spools a part to disk.
    async fn spool_file(
        &mut self,
        head: PartHead,
        name: String,
        files: &mut UploadedFiles,
        spool: &Spool,
    ) -> Result<(), Rejection> {
        let mut writer = files.begin(&name, spool)?;
        while let Some(piece) = self.next_piece().await? {
            writer.write(&piece)?;
        }
        let upload = Box::pin(writer.finish()).await?;
        files.add(name, upload, head.filename.as_deref().map(readable_filename).as_deref());
        Ok(())
    }

    /// Reads a part into memory; `left` is how many bytes all texts may still have.
    async fn text(&mut self, name: &str, left: &mut usize) -> Result<String, Rejection> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next_piece().await? {
            *left = left.checked_sub(piece.len()).ok_or_else(|| {
                let detail = format!("{TEXTS_TOO_LONG} If this is a file, send the part with a filename.");
                Rejection::field(ProblemCode::BodyTooLarge, name, detail)
            })?;
            bytes.extend_from_slice(&piece);
        }
        String::from_utf8(bytes).map_err(|_| {
            let advice = if is_file_field(name) {
                " If this is the file, send the part with a filename: in curl, -F with @ before its path."
            } else {
                ""
            };
            Rejection::field(ProblemCode::InvalidField, name, format!("{name} is not valid UTF-8.{advice}"))
        })
    }

    /// Why a body cannot be read: it was cut off, or it came whole and is malformed, so sending it again would not help.
    fn rejection_of(&self, error: PartsError<PayloadError>) -> Rejection {
        match error {
            PartsError::Body(_) => self.body_error.rejection(),
            PartsError::Malformed(error) => malformed(error),
        }
    }
}

fn malformed(error: MultipartError) -> Rejection {
    Rejection::new(ProblemCode::MalformedMultipart, error.to_string())
}
