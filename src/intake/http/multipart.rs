//! Forms: the file goes to disk as it arrives, texts are kept.

use super::super::{Code, Fields, Refusal, Spool, Upload};
use super::body::{Body, Fault};
use actix_multipart::{Field, Multipart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde_json::Value;

/// All texts together in bytes; four times the longest caption.
const TEXTS_LIMIT: usize = 128 * 1024;

/// Reads a body into fields and the file that was in the part `photo`.
pub async fn read(request: &HttpRequest, body: Body, spool: &Spool) -> Result<(Fields, Option<Upload>), Refusal> {
    let fault = body.fault;
    let mut payload = Payload::Stream { payload: body.pieces };
    let mut parts = Multipart::from_request(request, &mut payload).await.map_err(|_| malformed())?;
    let (mut fields, mut upload, mut left) = (Fields::form(), None, TEXTS_LIMIT);
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| refuse(&fault))?;
        let name = part.name().unwrap_or_default().to_owned();
        super::super::fields::check_name(&name)?;
        check_encoding(&part, &name)?;
        if !is_file(&part) {
            let value = text(&mut part, &name, &mut left, &fault).await?;
            fields.insert(&name, Value::String(value))?;
        } else if name != "photo" {
            return Err(Refusal::field(
                Code::InvalidField,
                name.clone(),
                format!("{name} is a text; only the part photo is a file. Send it without a filename."),
            ));
        } else if upload.is_some() {
            return Err(Refusal::field(Code::DuplicateField, "photo", "The field photo is given twice."));
        } else {
            upload = Some(file(&mut part, spool, &fault).await?);
        }
    }
    Ok((fields, upload))
}

/// A part is a file if it has a filename (Bot API server), and here also if its type says that it is an image.
fn is_file(part: &Field) -> bool {
    let named =
        part.content_disposition().is_some_and(|d| d.get_filename().is_some() || d.get_filename_ext().is_some());
    let typed =
        part.content_type().is_some_and(|t| t.type_() == "image" || t.essence_str() == "application/octet-stream");
    named || typed
}

/// HTTP carries bytes as they are; a part that says it is encoded would be taken for something else (RFC 7578 4.7).
fn check_encoding(part: &Field, name: &str) -> Result<(), Refusal> {
    let encoding = part.headers().get("content-transfer-encoding").map(|encoding| encoding.as_bytes().trim_ascii());
    let is_plain =
        |encoding: &[u8]| [&b"7bit"[..], b"8bit", b"binary"].iter().any(|e| e.eq_ignore_ascii_case(encoding));
    if encoding.is_none_or(is_plain) {
        return Ok(());
    }
    let detail = format!("The part {name} has a Content-Transfer-Encoding. Send its bytes as they are, without one.");
    Err(Refusal::field(Code::InvalidField, name, detail))
}

async fn file(part: &mut Field, spool: &Spool, fault: &Fault) -> Result<Upload, Refusal> {
    let mut writer = spool.begin();
    while let Some(piece) = part.next().await {
        writer.write(&piece.map_err(|_| refuse(fault))?)?;
    }
    writer.finish().await
}

async fn text(part: &mut Field, name: &str, left: &mut usize, fault: &Fault) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.next().await {
        let piece = piece.map_err(|_| refuse(fault))?;
        *left = left.checked_sub(piece.len()).ok_or_else(|| {
            let detail =
                "All texts together may have 128 KiB. If this is the image, send the part photo with a filename.";
            Refusal::field(Code::BodyTooLarge, name, detail)
        })?;
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| {
        let advice = if name == "photo" { " If this is the image, send the part with a filename." } else { "" };
        Refusal::field(Code::InvalidField, name, format!("{name} is not valid UTF-8.{advice}"))
    })
}

/// A body that came whole and cannot be read was made wrongly: sending it again would not help.
fn refuse(fault: &Fault) -> Refusal {
    if fault.is_set() { fault.refusal() } else { malformed() }
}

fn malformed() -> Refusal {
    Refusal::new(
        Code::MalformedMultipart,
        "The body is not multipart/form-data as RFC 7578 has it: the boundary named in Content-Type between the parts and \
         after the last, lines that end in CRLF, and a Content-Disposition with a name in each. Let your HTTP client \
         build it.",
    )
}
