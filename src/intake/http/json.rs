//! JSON bodies: the image goes to disk as it arrives, the rest is read when it is whole.

use super::super::{Code, Fields, Refusal, Splitter, Spool, Upload};
use super::body::Body;
use crate::intake::fields::Members;
use futures_util::StreamExt;
use serde_json::error::Category;

/// Reads a body into fields and the image that was at `photo.base64`.
pub async fn read(mut body: Body, spool: &Spool) -> Result<(Fields, Option<Upload>), Refusal> {
    let (mut splitter, mut writer, mut image) = (Splitter::default(), spool.begin(), Vec::new());
    while let Some(piece) = body.pieces.next().await {
        let piece = piece.map_err(|_| body.fault.refusal())?;
        splitter.push(&piece, &mut image)?;
        writer.write(&image)?;
        image.clear();
    }
    let (document, found) = splitter.finish()?;
    let upload = if found { Some(writer.finish().await?) } else { None };
    Ok((fields(&document, found)?, upload))
}

fn fields(document: &[u8], image_taken_out: bool) -> Result<Fields, Refusal> {
    let Members(members) = serde_json::from_slice(document).map_err(|error| match error.classify() {
        Category::Data => Refusal::new(Code::MalformedJson, "The body is JSON, but not an object."),
        _ => Refusal::new(Code::MalformedJson, format!("The body is not valid JSON: {error}.")),
    })?;
    let mut fields = Fields::json();
    for (name, value) in members {
        fields.insert(&name, value)?;
    }
    if image_taken_out && fields.take("photo").is_none_or(|photo| photo.as_object().is_none_or(|p| p.len() != 1)) {
        return Err(Refusal::field(
            Code::InvalidField,
            "photo",
            "photo has members beside base64; send one image per notification.",
        ));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_refused_without_being_repeated() {
        for (document, word) in [
            ("\"secret caption\"", "not an object"),
            ("[1]", "not an object"),
            ("", "EOF"),
            ("{\"caption\": secret}", "line 1"),
            ("{} x", "trailing"),
            ("{\"caption\": \"\\ud800\"}", "line 1"),
        ] {
            let refusal = fields(document.as_bytes(), false).unwrap_err();
            assert_eq!(refusal.code, Code::MalformedJson);
            assert!(refusal.detail.contains(word) && !refusal.detail.contains("secret"), "{}", refusal.detail);
        }
        assert_eq!(fields(&[b'{', 0xff], false).unwrap_err().code, Code::MalformedJson);
        assert_eq!(fields("[".repeat(100_000).as_bytes(), false).unwrap_err().code, Code::MalformedJson);
    }

    #[test]
    fn members_are_not_dropped_because_they_are_there_twice() {
        let refusal = fields(br#"{"caption":"a","caption":"b"}"#, false).unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::DuplicateField, Some("caption")));
        let refusal = fields(br#"{"photo":{"base64":"","sha256":""}}"#, true).unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidField, Some("photo")));
    }
}
