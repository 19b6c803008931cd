//! Reads JSON bodies: files are spooled to disk as they arrive (streaming), the rest is parsed when it is complete.

use super::fields::{Fields, structure_limit};
use super::names::{check_name, is_file_field};
use super::uploaded_files::UploadedFiles;
use crate::http::body::Body;
use crate::http::json_stream::{ExtractedPart, FileFields, JsonFileExtractor};
use crate::intake::members::Members;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::Spool;
use futures_util::StreamExt;
use serde_json::error::Category;

/// Where a native request may hold files.
const FILE_FIELDS: FileFields = FileFields::Objects { is_file: is_file_field, check_name, limit: structure_limit };

/// What some editors and shells put in front of a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a body into its document and the files that it held as base64.
pub async fn read(mut body: Body, spool: &Spool) -> Result<(Vec<u8>, UploadedFiles), Rejection> {
    let (mut extractor, mut parts, mut files) =
        (JsonFileExtractor::new(FILE_FIELDS), Vec::new(), UploadedFiles::default());
    let mut open = None;
    while let Some(piece) = body.pieces.next().await {
        let piece = piece.map_err(|_| body.error.rejection())?;
        extractor.push(&piece, &mut parts)?;
        for part in parts.drain(..) {
            match (part, open.take()) {
                (ExtractedPart::Begin(place), _) => open = Some((files.begin(&place, spool)?, place)),
                (ExtractedPart::Bytes(bytes), Some((mut writer, place))) => {
                    writer.write(&bytes).map_err(|rejection| rejection.of(&place))?;
                    open = Some((writer, place));
                }
                (ExtractedPart::End, Some((writer, place))) => {
                    let upload = Box::pin(writer.finish()).await.map_err(|rejection| rejection.of(&place))?;
                    files.add(place, upload, None);
                }
                (_, None) => {}
            }
        }
    }
    Ok((extractor.finish()?, files))
}

/// The fields of a document whose files have been taken out.
pub fn fields(document: &[u8]) -> Result<Fields, Rejection> {
    if document.starts_with(BYTE_ORDER_MARK) {
        let detail = "The body begins with a byte order mark (U+FEFF), which JSON does not have: write it without one.";
        return Err(Rejection::new(ProblemCode::MalformedJson, detail));
    }
    let Members(members) = serde_json::from_slice(document).map_err(|error| match error.classify() {
        Category::Data => Rejection::new(ProblemCode::MalformedJson, "The body is JSON, but not an object."),
        _ => Rejection::new(ProblemCode::MalformedJson, format!("The body is not valid JSON: {error}.")),
    })?;
    let mut fields = Fields::json();
    for (name, value) in members {
        fields.insert(&name, value)?;
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_rejected_without_being_repeated() {
        for (document, word) in [
            ("\"secret caption\"", "not an object"),
            ("[1]", "not an object"),
            ("", "EOF"),
            ("{\"caption\": secret}", "line 1"),
            ("{} x", "trailing"),
            ("{\"caption\": \"\\ud800\"}", "line 1"),
            ("\u{feff}{}", "byte order mark"),
        ] {
            let rejection = fields(document.as_bytes()).unwrap_err();
            assert_eq!(rejection.code, ProblemCode::MalformedJson);
            assert!(rejection.detail.contains(word) && !rejection.detail.contains("secret"), "{}", rejection.detail);
        }
        assert_eq!(fields(&[b'{', 0xff]).unwrap_err().code, ProblemCode::MalformedJson);
        assert_eq!(fields("[".repeat(100_000).as_bytes()).unwrap_err().code, ProblemCode::MalformedJson);
    }

    #[test]
    fn members_are_not_dropped_because_they_are_there_twice() {
        let rejection = fields(br#"{"caption":"a","caption":"b"}"#).unwrap_err();
        assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::DuplicateField, Some("caption")));
    }
}
