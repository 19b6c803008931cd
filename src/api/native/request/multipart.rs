//! Reads forms: files are spooled to disk as they arrive (streaming), texts are kept in memory.

use super::fields::Fields;
use super::names::{check_name, is_file_field};
use super::uploaded_files::UploadedFiles;
use crate::http::body::{Body, BodyError};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::Spool;
use actix_multipart::{Field, Multipart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde_json::Value;

/// How long all texts may be together; four times the longest caption.
const TEXTS_LIMIT_BYTES: usize = 128 * 1024;

/// Reads a body into fields and files; the files of an album have any name, by which `attach://` refers to them.
pub async fn read(request: &HttpRequest, body: Body, spool: &Spool) -> Result<(Fields, UploadedFiles), Rejection> {
    let body_error = body.error;
    let mut payload = Payload::Stream { payload: body.pieces };
    let mut parts = Multipart::from_request(request, &mut payload).await.map_err(|_| malformed())?;
    let (mut fields, mut files, mut left) = (Fields::form(), UploadedFiles::default(), TEXTS_LIMIT_BYTES);
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| rejection_of(&body_error))?;
        let name = part.name().unwrap_or_default().to_owned();
        check_encoding(&part, &name)?;
        if !is_file(&part) {
            check_name(&name)?;
            let value = read_text(&mut part, &name, &mut left, &body_error).await?;
            fields.insert(&name, Value::String(value))?;
        } else if check_name(&name).is_ok() && !is_file_field(&name) {
            let detail = format!("{name} is a text, not a file. Send it without a filename.");
            return Err(Rejection::field(ProblemCode::InvalidField, name, detail));
        } else {
            read_file(&mut part, name, &mut files, spool, &body_error).await?;
        }
    }
    Ok((fields, files))
}

/// A part is a file if it has a filename (Bot API server), and here also if its type says that it is one.
fn is_file(part: &Field) -> bool {
    let named =
        part.content_disposition().is_some_and(|d| d.get_filename().is_some() || d.get_filename_ext().is_some());
    let typed = part.content_type().is_some_and(|t| {
        ["image", "video", "audio"].iter().any(|kind| t.type_() == *kind)
            || t.essence_str() == "application/octet-stream"
    });
    named || typed
}

/// HTTP carries bytes as they are; a part that says it is encoded would be taken for something else (RFC 7578 4.7).
fn check_encoding(part: &Field, name: &str) -> Result<(), Rejection> {
    let encoding = part.headers().get("content-transfer-encoding").map(|encoding| encoding.as_bytes().trim_ascii());
    let is_plain =
        |encoding: &[u8]| [&b"7bit"[..], b"8bit", b"binary"].iter().any(|e| e.eq_ignore_ascii_case(encoding));
    if encoding.is_none_or(is_plain) {
        return Ok(());
    }
    let detail = format!("The part {name} has a Content-Transfer-Encoding. Send its bytes as they are, without one.");
    Err(Rejection::field(ProblemCode::InvalidField, name, detail))
}

/// Spools a part to disk.
async fn read_file(
    part: &mut Field,
    name: String,
    files: &mut UploadedFiles,
    spool: &Spool,
    body_error: &BodyError,
) -> Result<(), Rejection> {
    let filename = part.content_disposition().and_then(|disposition| {
        let extended = disposition.get_filename_ext().and_then(|ext| String::from_utf8(ext.value.clone()).ok());
        extended.or_else(|| disposition.get_filename().map(str::to_owned))
    });
    let mut writer = files.begin(&name, spool)?;
    while let Some(piece) = part.next().await {
        writer.write(&piece.map_err(|_| rejection_of(body_error))?)?;
    }
    let upload = writer.finish().await?;
    files.add(name, upload, filename.as_deref());
    Ok(())
}

/// Reads a part into memory; `left` is how many bytes all texts may still have.
async fn read_text(
    part: &mut Field,
    name: &str,
    left: &mut usize,
    body_error: &BodyError,
) -> Result<String, Rejection> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.next().await {
        let piece = piece.map_err(|_| rejection_of(body_error))?;
        *left = left.checked_sub(piece.len()).ok_or_else(|| {
            let detail = "All texts together may have 128 KiB. If this is a file, send the part with a filename.";
            Rejection::field(ProblemCode::BodyTooLarge, name, detail)
        })?;
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| {
        let advice = if is_file_field(name) { " If this is the file, send the part with a filename." } else { "" };
        Rejection::field(ProblemCode::InvalidField, name, format!("{name} is not valid UTF-8.{advice}"))
    })
}

/// Why a body cannot be read: it was cut off, or it came whole and is malformed, so sending it again would not help.
fn rejection_of(body_error: &BodyError) -> Rejection {
    if body_error.is_set() { body_error.rejection() } else { malformed() }
}

fn malformed() -> Rejection {
    Rejection::new(
        ProblemCode::MalformedMultipart,
        "The body is not multipart/form-data as RFC 7578 has it: the boundary named in Content-Type between the parts and \
         after the last, lines that end in CRLF, and a Content-Disposition with a name in each. Let your HTTP client \
         build it.",
    )
}
