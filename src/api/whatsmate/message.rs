//! Reads a body as a message: JSON whatever its `Content-Type` says; its file is spooled to disk as it arrives.

use crate::domain::Address;
use crate::domain::whatsmate::{CAPTION_LIMIT, FILENAME_LIMIT, TEXT_LIMIT, WhatsMateKind, encoded_size, filename};
use crate::http::body::Body;
use crate::http::json_stream::{DOCUMENT_LIMIT_BYTES, ExtractedPart, FileFields, JsonFileExtractor};
use crate::intake::recipients::address as address_of;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::{Spool, Upload};
use futures_util::StreamExt;
use serde_json::error::Category;
use serde_json::{Map, Value};

/// The kind of recipient that a path names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RecipientKind {
    /// A person.
    Single,
    /// A group.
    Group,
}

impl RecipientKind {
    /// The kind that a path names, `single` or `group`.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "single" => Some(Self::Single),
            "group" => Some(Self::Group),
            _ => None,
        }
    }
}

/// A checked message.
pub struct WhatsMateMessage {
    /// Its recipient.
    pub address: Address,
    /// Text, image, document, ...
    pub kind: WhatsMateKind,
    /// Its text or caption, as Telegram names them.
    pub params: Map<String, Value>,
    /// Its file.
    pub file: Option<Upload>,
    /// What the receiver sees the file called.
    pub filename: Option<String>,
}

/// Reads and checks a body.
pub async fn read(
    body: Body,
    recipient: RecipientKind,
    kind: WhatsMateKind,
    spool: &Spool,
) -> Result<WhatsMateMessage, Rejection> {
    let (document, file) = match kind {
        WhatsMateKind::Text => (plain(body).await?, None),
        _ => with_file(body, kind, spool).await?,
    };
    let mut fields = fields(&document)?;
    let address = address(&mut fields, recipient)?;
    let (name, param, limit) = match kind {
        WhatsMateKind::Text => ("message", "text", TEXT_LIMIT),
        _ => ("caption", "caption", CAPTION_LIMIT),
    };
    let text = text(&mut fields, name)?.filter(|text| !text.is_empty());
    match &text {
        Some(text) if text.chars().count() > limit => {
            return Err(invalid(name, format!("{name} may have {limit} characters.")));
        }
        None if kind == WhatsMateKind::Text => return Err(missing(name, "the text to send")),
        _ => {}
    }
    if let (Some(_), None) = (kind.media(), &file) {
        return Err(match fields.get(kind.as_str()) {
            None | Some(Value::Null) => missing(kind.as_str(), "the file's bytes in base64"),
            Some(_) => invalid(kind.as_str(), format!("{} is a string of base64.", kind.as_str())),
        });
    }
    let filename = if kind.has_filename() { Some(checked_filename(&mut fields)?) } else { None };
    let params = text.map(|text| (param.to_owned(), text.into())).into_iter().collect();
    Ok(WhatsMateMessage { address, kind, params, file, filename })
}

/// A document without a file.
async fn plain(body: Body) -> Result<Vec<u8>, Rejection> {
    body.collect(DOCUMENT_LIMIT_BYTES, || {
        let detail =
            format!("The body may have {DOCUMENT_LIMIT_BYTES} bytes; message has {TEXT_LIMIT} characters at most.");
        Rejection::new(ProblemCode::BodyTooLarge, detail)
    })
    .await
}

/// The document without its file, and the file.
async fn with_file(mut body: Body, kind: WhatsMateKind, spool: &Spool) -> Result<(Vec<u8>, Option<Upload>), Rejection> {
    let name = kind.as_str();
    // The contract does not say which MB it means; MiB are the larger ones.
    let limit = kind.megabytes() << 20;
    let mut writer = if kind == WhatsMateKind::Image { spool.begin() } else { spool.begin_file(name, limit) };
    let (mut extractor, mut parts, mut found, mut size) =
        (JsonFileExtractor::new(FileFields::Only(name)), Vec::new(), false, 0);
    while let Some(piece) = body.pieces.next().await {
        extractor.push(&piece.map_err(|_| body.error.rejection())?, &mut parts)?;
        for part in parts.drain(..) {
            found = true;
            let ExtractedPart::Bytes(bytes) = part else { continue };
            size += bytes.len() as u64;
            if encoded_size(size) > limit {
                let detail = format!("{name} may have {} MB of base64.", kind.megabytes());
                return Err(Rejection::field(ProblemCode::FileTooLarge, name, detail));
            }
            writer.write(&bytes).map_err(advise_document)?;
        }
    }
    let document = extractor.finish()?;
    if found && size == 0 {
        return Err(invalid(name, format!("{name} is empty.")));
    }
    let file = if found { Some(writer.finish().await.map_err(advise_document)?) } else { None };
    Ok((document, file))
}

/// Adds that what Telegram does not take as a photo can be sent as a document.
fn advise_document(mut rejection: Rejection) -> Rejection {
    if matches!(rejection.code, ProblemCode::NotAnImage | ProblemCode::ImageDimensions | ProblemCode::ImageRatio) {
        rejection.detail.push_str(" The document path takes any file as it is.");
    }
    rejection
}

fn fields(document: &[u8]) -> Result<Map<String, Value>, Rejection> {
    serde_json::from_slice(document).map_err(|error| {
        let detail = match error.classify() {
            _ if document.trim_ascii().is_empty() => "The body is empty; it is a JSON object.".to_owned(),
            // The error's own text would repeat what was sent.
            Category::Data => "The body is JSON, but not an object.".to_owned(),
            _ => format!("The body is not valid JSON: {error}."),
        };
        Rejection::new(ProblemCode::MalformedJson, detail)
    })
}

fn address(fields: &mut Map<String, Value>, recipient: RecipientKind) -> Result<Address, Rejection> {
    if recipient == RecipientKind::Single {
        let number = digits(fields, "number", 15)?;
        return address_of(Some(&number), None, None).map_err(|(part, error)| {
            invalid(part, error.map_or_else(|| "number is wrong.".to_owned(), |error| format!("{part}: {error}.")))
        });
    }
    let name =
        text(fields, "group_name")?.ok_or_else(|| missing("group_name", "the group's title, with group_admin"))?;
    let admin = digits(fields, "group_admin", 30)?;
    address_of(None, Some(&name), Some(&admin)).map_err(|(part, error)| {
        invalid(part, error.map_or_else(|| format!("{part} is wrong."), |error| format!("{part}: {error}.")))
    })
}

/// A phone number as the contract writes it; as a JSON number too, since it means the same.
fn digits(fields: &mut Map<String, Value>, name: &str, longest: usize) -> Result<String, Rejection> {
    let text = match fields.remove(name) {
        None | Some(Value::Null) => return Err(missing(name, "a phone number with country code, digits only")),
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(_) => return Err(invalid(name, format!("{name} is a string of digits."))),
    };
    if !(5..=longest).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        let detail =
            format!("{name} has 5 to {longest} digits, beginning with the country code, and nothing else: no +.");
        return Err(invalid(name, detail));
    }
    Ok(text)
}

fn checked_filename(fields: &mut Map<String, Value>) -> Result<String, Rejection> {
    const NAME: &str = "filename";
    let given = text(fields, NAME)?.ok_or_else(|| missing(NAME, "what the receiver sees the file called"))?;
    let wrong = || {
        let detail =
            format!("filename has 1 to {FILENAME_LIMIT} word characters, spaces, - and .; others are removed.");
        invalid(NAME, detail)
    };
    if given.chars().count() > FILENAME_LIMIT { Err(wrong()) } else { filename(&given).ok_or_else(wrong) }
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Rejection> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(name, format!("{name} is a string."))),
    }
}

fn missing(name: &str, what: &str) -> Rejection {
    Rejection::field(ProblemCode::MissingField, name, format!("{name} is missing: {what}."))
}

fn invalid(name: &str, detail: String) -> Rejection {
    Rejection::field(ProblemCode::InvalidField, name, detail)
}
