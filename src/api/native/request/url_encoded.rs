//! Reads fields out of `name=value&...` in percent-encoding: a query string, or the body of a form without files.

use super::fields::Fields;
use super::names::check_name;
use super::uploaded_files::UploadedFiles;
use crate::domain::ImageFormat;
use crate::http::body::Body;
use crate::intake::rejection::{ProblemCode, Rejection};
use futures_util::StreamExt;
use percent_encoding::percent_decode;
use serde_json::Value;

/// How long all texts of a form may be together; four times the longest caption.
pub const TEXTS_LIMIT_BYTES: usize = 128 * 1024;
/// What a caller is told whose texts are longer.
pub const TEXTS_TOO_LONG: &str = "All texts together may have 128 KiB.";

/// Reads a body into fields, beside those that there are.
pub async fn read(mut body: Body, mut fields: Fields) -> Result<(Fields, UploadedFiles), Rejection> {
    let mut text = Vec::new();
    while let Some(piece) = body.pieces.next().await {
        text.extend_from_slice(&piece.map_err(|_| body.error.rejection())?);
        // What curl sends for --data-binary @FILE.
        if ImageFormat::sniff(&text).is_some() {
            let detail = "The body is an image, and Content-Type says that it is a form. Send it by curl -T FILE, or say \
                          what it is: -H 'Content-Type: image/png'.";
            return Err(Rejection::field(ProblemCode::UnsupportedMediaType, "Content-Type", detail));
        }
        if text.len() > TEXTS_LIMIT_BYTES {
            let detail = format!("{TEXTS_TOO_LONG} Files go as multipart/form-data, or as the body itself.");
            return Err(Rejection::new(ProblemCode::BodyTooLarge, detail));
        }
    }
    add_pairs(&text, &mut fields)?;
    Ok((fields, UploadedFiles::default()))
}

/// Adds the pairs of a text to the fields.
pub fn add_pairs(text: &[u8], fields: &mut Fields) -> Result<(), Rejection> {
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        let name = String::from_utf8_lossy(&decoded(name)).into_owned();
        check_name(&name)?;
        let value = String::from_utf8(decoded(value)).map_err(|_| {
            let detail = format!("{name} is not valid UTF-8 once its percent-encoding is undone.");
            Rejection::field(ProblemCode::InvalidField, &name, detail)
        })?;
        fields.insert(&name, Value::String(value))?;
    }
    Ok(())
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Fields, Rejection> {
        let mut fields = Fields::form();
        add_pairs(text.as_bytes(), &mut fields).map(|()| fields)
    }

    #[test]
    fn pairs_are_decoded_and_become_form_texts() {
        let mut fields = read("chat_id=42&caption=a+b%26%D1%84=%zz&&parse_mode=&tags=a&tags=b").unwrap();
        assert!(fields.is_form());
        assert_eq!(fields.text("caption"), Ok(Some("a b&\u{444}=%zz".to_owned())));
        assert_eq!(fields.text("parse_mode"), Ok(None));
        assert_eq!(fields.take("tags"), Some(serde_json::json!(["a", "b"])));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, code, field) in [
            ("captoin=a", ProblemCode::UnknownField, "captoin"),
            ("chat_id=1&chat_id=2", ProblemCode::DuplicateField, "chat_id"),
            ("caption=%ff", ProblemCode::InvalidField, "caption"),
            ("=1", ProblemCode::UnknownField, ""),
        ] {
            let rejection = read(text).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (code, Some(field)), "{text}");
        }
    }
}
