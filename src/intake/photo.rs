//! Which image a request means.

use super::fields::{Fields, Members, invalid, parsed};
use super::order::InputFile;
use super::refusal::{Code, Refusal};
use super::spool::Upload;
use serde_json::Value;

/// The longest address of an image.
const URL_LIMIT: usize = 2048;
/// The longest file_id; those seen have about 100 characters.
const FILE_ID_LIMIT: usize = 512;

impl InputFile {
    /// Reads the field `photo`, or takes what was uploaded in its place.
    pub fn read(fields: &mut Fields, upload: Option<Upload>) -> Result<Self, Refusal> {
        match (fields.take("photo"), upload) {
            (None, None) => Err(Refusal::field(
                Code::MissingField,
                "photo",
                "photo is missing: an uploaded file, a URL, a file_id, {\"base64\": …} or {\"sha256\": …}.",
            )),
            (None, Some(upload)) => Ok(Self::Upload(upload)),
            (Some(_), Some(_)) => Err(Refusal::field(Code::DuplicateField, "photo", "The field photo is given twice.")),
            (Some(Value::String(text)), None) if fields.is_form() && text.starts_with('{') => {
                held(parsed::<Members>("photo", &text)?.0)
            }
            (Some(Value::String(text)), None) => reference(text),
            (Some(Value::Object(members)), None) => held(members.into_iter().collect()),
            (Some(_), None) => held(Vec::new()),
        }
    }
}

fn held(members: Vec<(String, Value)>) -> Result<InputFile, Refusal> {
    const WANTED: &str = "is an uploaded file, a URL, a file_id, {\"base64\": …} or {\"sha256\": …}";
    let [(name, value)] = members.as_slice() else { return Err(invalid("photo", WANTED)) };
    match (name.as_str(), value) {
        ("sha256", Value::String(text)) => match text.parse() {
            Ok(digest) => Ok(InputFile::Held(digest)),
            Err(_) => Err(invalid("photo.sha256", "is 64 hexadecimal digits")),
        },
        ("sha256", _) => Err(invalid("photo.sha256", "is a string of 64 hexadecimal digits")),
        ("base64", Value::String(_)) => {
            Err(invalid("photo.base64", "belongs into a JSON body; in a form, send the file"))
        }
        ("base64", _) => Err(invalid("photo.base64", "is a string")),
        (other, _) => {
            let shown: String = other.chars().take(64).collect();
            let detail = format!("photo has no member {shown:?}; it has either base64 or sha256.");
            Err(Refusal::field(Code::UnknownField, format!("photo.{shown}"), detail))
        }
    }
}

/// A text is an address if there is a dot in it, else a file_id (Bot API server).
fn reference(text: String) -> Result<InputFile, Refusal> {
    let refuse = |detail: &str| Err(Refusal::field(Code::InvalidPhoto, "photo", detail));
    let lower = text.get(..8).unwrap_or(&text).to_ascii_lowercase();
    if text.is_empty() {
        return refuse("photo is empty. Send a file, a URL, a file_id, {\"base64\": …} or {\"sha256\": …}.");
    }
    if lower.starts_with("attach:/") {
        return refuse("attach:// is not needed here: send the file itself in the part named photo.");
    }
    if lower.starts_with("data:") {
        return refuse("Telegram fetches no data: URL. Send the image as {\"base64\": …}, without the prefix.");
    }
    if lower.starts_with("http://") || lower == "https://" {
        return match url_fault(&text) {
            Some(fault) => refuse(fault),
            None => Ok(InputFile::Url(text)),
        };
    }
    if text.contains("://") {
        return refuse("Telegram fetches http:// and https:// addresses only.");
    }
    if text.contains('.') {
        return refuse(
            "This is neither a URL (it would begin with http:// or https://) nor a file_id (it has a dot in it).",
        );
    }
    if text.len() > FILE_ID_LIMIT || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return refuse("This is neither a URL nor a file_id, which is made of A-Z a-z 0-9 _ and - only.");
    }
    Ok(InputFile::FileId(text))
}

fn url_fault(url: &str) -> Option<&'static str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host_and_port = authority.rsplit('@').next().unwrap_or("");
    let (host, port) = match host_and_port.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(("", ""), |(host, port)| (host, port.strip_prefix(':').unwrap_or(port))),
        None => host_and_port.split_once(':').unwrap_or((host_and_port, "")),
    };
    if url.len() > URL_LIMIT {
        return Some("The URL is too long: it may have 2048 characters.");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("The URL has white space or a control character in it; write those as %20 and the like.");
    }
    if host.is_empty() || !(port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Some("The URL has no valid host.");
    }
    if !url.contains('.') {
        return Some(
            "Telegram takes a text without a dot for a file_id, so it would never fetch this URL. Upload the image instead.",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;
    use serde_json::json;

    fn read(value: Value) -> Result<InputFile, Refusal> {
        let mut fields = Fields::json();
        fields.insert("photo", value).unwrap();
        InputFile::read(&mut fields, None)
    }

    #[test]
    fn addresses_and_file_ids_are_told_apart_as_telegram_does() {
        for url in [
            "https://example.com/a.png",
            "HTTP://example.com",
            "http://localhost:8080/pic.png",
            "http://[::1]:80/a.png",
            "https://user@example.com/?a=b#c",
            "https://\u{e4}rger.example/bild.png",
        ] {
            assert!(matches!(read(json!(url)), Ok(InputFile::Url(u)) if u == url), "{url}");
        }
        assert!(matches!(read(json!("AgACAgIAAxk-_9")), Ok(InputFile::FileId(_))));
    }

    #[test]
    fn what_telegram_would_misread_is_refused() {
        let long = format!("https://example.com/{}", "x".repeat(URL_LIMIT));
        for bad in [
            "",
            "http://localhost/pic",
            "https://",
            "https:///a.png",
            "https://:80/a.png",
            "https://example.com:0/",
            "https://example.com:http/",
            "https://[::1/a.png",
            "https://example.com/a b.png",
            "ftp://example.com/a.png",
            "file:///etc/a.png",
            "attach://photo",
            "data:image/png;base64,AAAA",
            "picture.png",
            "not a file id",
            "\u{1F408}",
            &"A".repeat(FILE_ID_LIMIT + 1),
            &long,
        ] {
            let refusal = read(json!(bad)).unwrap_err();
            assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidPhoto, Some("photo")), "{bad}");
        }
    }

    #[test]
    fn a_form_names_a_digest_once() {
        let read = |text: String| {
            let mut fields = Fields::form();
            fields.insert("photo", json!(text)).unwrap();
            InputFile::read(&mut fields, None)
        };
        let digest = Sha256::of(b"x");
        assert!(matches!(read(format!("{{\"sha256\":\"{digest}\"}}")), Ok(InputFile::Held(d)) if d == digest));
        for bad in [format!("{{\"sha256\":\"{digest}\",\"sha256\":\"{digest}\"}}"), "{".to_owned(), "{}".to_owned()] {
            assert_eq!(read(bad.clone()).unwrap_err().field.as_deref(), Some("photo"), "{bad}");
        }
    }

    #[test]
    fn digests_are_read_and_other_members_refused_by_name() {
        let digest = Sha256::of(b"x");
        assert!(matches!(read(json!({"sha256": digest.to_string()})), Ok(InputFile::Held(d)) if d == digest));
        for (bad, field) in [
            (json!({"sha256": "abc"}), "photo.sha256"),
            (json!({"sha256": 5}), "photo.sha256"),
            (json!({"base64": 5}), "photo.base64"),
            (json!({"url": "https://example.com/a.png"}), "photo.url"),
            (json!({}), "photo"),
            (json!({"sha256": "a", "base64": "b"}), "photo"),
            (json!([]), "photo"),
            (json!(5), "photo"),
        ] {
            assert_eq!(read(bad.clone()).unwrap_err().field.as_deref(), Some(field), "{bad}");
        }
    }
}
