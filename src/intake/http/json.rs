//! JSON bodies: files go to disk as they arrive, the rest is read when it is whole.

use super::super::{Code, Event, Fields, Files, Rejection, Splitter, Spool};
use super::body::Body;
use crate::intake::fields::Members;
use futures_util::StreamExt;
use serde_json::error::Category;

/// Reads a body into fields and the files that it holds as base64.
pub async fn read(mut body: Body, spool: &Spool) -> Result<(Fields, Files), Rejection> {
    let (mut splitter, mut events, mut files) = (Splitter::default(), Vec::new(), Files::default());
    let mut open = None;
    while let Some(piece) = body.pieces.next().await {
        let piece = piece.map_err(|_| body.fault.rejection())?;
        splitter.push(&piece, &mut events)?;
        for event in events.drain(..) {
            match (event, open.take()) {
                (Event::Begin(place), _) => open = Some((files.begin(&place, spool)?, place)),
                (Event::Bytes(bytes), Some((mut writer, place))) => {
                    writer.write(&bytes).map_err(|rejection| rejection.of(&place))?;
                    open = Some((writer, place));
                }
                (Event::End, Some((writer, place))) => {
                    let upload = writer.finish().await.map_err(|rejection| rejection.of(&place))?;
                    files.add(place, upload, None);
                }
                (_, None) => {}
            }
        }
    }
    Ok((fields(&splitter.finish()?)?, files))
}

fn fields(document: &[u8]) -> Result<Fields, Rejection> {
    let Members(members) = serde_json::from_slice(document).map_err(|error| match error.classify() {
        Category::Data => Rejection::new(Code::MalformedJson, "The body is JSON, but not an object."),
        _ => Rejection::new(Code::MalformedJson, format!("The body is not valid JSON: {error}.")),
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
    fn what_is_no_object_is_refused_without_being_repeated() {
        for (document, word) in [
            ("\"secret caption\"", "not an object"),
            ("[1]", "not an object"),
            ("", "EOF"),
            ("{\"caption\": secret}", "line 1"),
            ("{} x", "trailing"),
            ("{\"caption\": \"\\ud800\"}", "line 1"),
        ] {
            let rejection = fields(document.as_bytes()).unwrap_err();
            assert_eq!(rejection.code, Code::MalformedJson);
            assert!(rejection.detail.contains(word) && !rejection.detail.contains("secret"), "{}", rejection.detail);
        }
        assert_eq!(fields(&[b'{', 0xff]).unwrap_err().code, Code::MalformedJson);
        assert_eq!(fields("[".repeat(100_000).as_bytes()).unwrap_err().code, Code::MalformedJson);
    }

    #[test]
    fn members_are_not_dropped_because_they_are_there_twice() {
        let rejection = fields(br#"{"caption":"a","caption":"b"}"#).unwrap_err();
        assert_eq!((rejection.code, rejection.field.as_deref()), (Code::DuplicateField, Some("caption")));
    }
}
