//! Which file a field means: one that was uploaded with the request, or one that is named by URL, file_id or digest.

use super::fields::{Fields, parsed};
use super::uploaded_files::{UploadedFiles, safe_filename};
use crate::intake::members::Members;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::InputFile;
use serde_json::Value;

/// The longest URL of a file.
const URL_LIMIT_BYTES: usize = 2048;
/// The longest file_id; those seen have about 100 characters.
const FILE_ID_LIMIT_BYTES: usize = 512;
/// What a field that holds a file may be, for rejections.
const EXPECTED: &str = "an uploaded file, a URL, a file_id, {\"base64\": …} or {\"sha256\": …}";

/// A file, and the name that its sender gave it.
#[derive(Debug)]
pub struct FileRef {
    /// Where it comes from.
    pub input: InputFile,
    /// Its filename, made safe.
    pub filename: Option<String>,
}

impl FileRef {
    fn of(input: InputFile) -> Self {
        Self { input, filename: None }
    }
}

/// Reads fields that name a file, or takes the file that was uploaded in place of the field.
pub struct FileRefReader<'a> {
    /// The files that were uploaded with the request.
    pub files: &'a mut UploadedFiles,
    /// Whether the request is a form: then `attach://` names its parts.
    pub form: bool,
    /// The fields of the request, or those of an item of its album.
    pub fields: &'a mut Fields,
    /// What precedes the names of these fields in rejections: `album[2].`, or nothing.
    pub within: &'a str,
}

impl FileRefReader<'_> {
    /// The file of a field that must be there.
    pub fn required(&mut self, name: &str) -> Result<FileRef, Rejection> {
        let path = format!("{}{name}", self.within);
        self.read(name)?.ok_or_else(|| {
            Rejection::field(ProblemCode::MissingField, &path, format!("{path} is missing: {EXPECTED}."))
        })
    }

    /// The file of a field, if it is there.
    pub fn read(&mut self, name: &str) -> Result<Option<FileRef>, Rejection> {
        let path = format!("{}{name}", self.within);
        let value = self.fields.take(name);
        if let Some(Value::Object(members)) = value {
            return self.object(&path, members.into_iter().collect()).map(Some);
        }
        match (value, self.files.take(&path)) {
            (None, None) => Ok(None),
            (None, Some(file)) => Ok(Some(FileRef { input: InputFile::Upload(file.upload), filename: file.filename })),
            (Some(_), Some(_)) => {
                Err(Rejection::field(ProblemCode::DuplicateField, &path, format!("The field {path} is given twice.")))
            }
            (Some(Value::String(text)), None) if self.fields.is_form() && text.starts_with('{') => {
                self.object(&path, parsed::<Members>(&path, &text)?.0).map(Some)
            }
            (Some(Value::String(text)), None) => self.text(&path, text).map(Some),
            (Some(_), None) => Err(Rejection::invalid(&path, &format!("is {EXPECTED}"))),
        }
    }

    fn text(&mut self, path: &str, text: String) -> Result<FileRef, Rejection> {
        let Some(part) = text.strip_prefix("attach://").filter(|_| self.form) else {
            return url_or_file_id(path, text).map(FileRef::of);
        };
        match self.files.take(part) {
            Some(file) => Ok(FileRef { input: InputFile::Upload(file.upload), filename: file.filename }),
            None => {
                let shown: String = part.chars().take(64).collect();
                let detail = format!(
                    "The form has no file part named {shown:?}, or it is named twice. A part is a file if it has a filename."
                );
                Err(Rejection::field(invalid_code(path), path, detail))
            }
        }
    }

    fn object(&mut self, path: &str, members: Vec<(String, Value)>) -> Result<FileRef, Rejection> {
        let (mut input, mut filename) = (None, None);
        if members.iter().filter(|(name, _)| name == "base64" || name == "sha256").count() > 1 {
            return Err(Rejection::invalid(path, "has base64 and sha256, or one of them twice; give it once"));
        }
        for (name, value) in members {
            let field = format!("{path}.{name}");
            input = Some(match (name.as_str(), value) {
                ("filename", Value::String(text)) => {
                    filename = safe_filename(&text);
                    continue;
                }
                ("filename", _) => return Err(Rejection::invalid(&field, "is a string")),
                ("sha256", Value::String(text)) => {
                    InputFile::Stored(text.parse().map_err(|_| Rejection::invalid(&field, "is 64 hexadecimal digits"))?)
                }
                ("sha256", _) => return Err(Rejection::invalid(&field, "is a string of 64 hexadecimal digits")),
                ("base64", Value::String(_)) => match self.files.take(path).filter(|_| !self.form) {
                    Some(file) => InputFile::Upload(file.upload),
                    None => {
                        return Err(Rejection::invalid(&field, "belongs into a JSON body; in a form, send the file"));
                    }
                },
                ("base64", _) => return Err(Rejection::invalid(&field, "is a string")),
                (other, _) => {
                    let shown: String = other.chars().take(64).collect();
                    let detail = format!("{path} has no member {shown:?}; it has base64 or sha256, and filename.");
                    return Err(Rejection::field(ProblemCode::UnknownField, format!("{path}.{shown}"), detail));
                }
            });
        }
        let input = input.ok_or_else(|| Rejection::invalid(path, &format!("is {EXPECTED}")))?;
        Ok(FileRef { input, filename })
    }
}

/// The code of a text that names no file.
fn invalid_code(path: &str) -> ProblemCode {
    if path == "photo" { ProblemCode::InvalidPhoto } else { ProblemCode::InvalidFile }
}

/// A text is a URL if there is a dot in it, else a file_id (Bot API server).
fn url_or_file_id(path: &str, text: String) -> Result<InputFile, Rejection> {
    let rejected = |detail: &str| Err(Rejection::field(invalid_code(path), path, detail));
    let upload = format!(
        "To upload a file, send its bytes: curl -F {path}=@FILE, with the @; a file part in other clients; \
         {{\"base64\": …}} in JSON."
    );
    let lower = text.get(..8).unwrap_or(&text).to_ascii_lowercase();
    if text.is_empty() {
        return rejected(&format!("{path} is empty. Send {EXPECTED}."));
    }
    if lower.starts_with("attach:/") {
        return rejected(
            "attach://NAME names a file part of a form, written exactly like this; a JSON body has no parts.",
        );
    }
    if lower.starts_with("data:") {
        return rejected("Telegram fetches no data: URL. Send the file as {\"base64\": …}, without the prefix.");
    }
    if lower.starts_with("http://") || lower == "https://" {
        return match url_error(&text) {
            Some(error) => rejected(error),
            None => Ok(InputFile::Url(text)),
        };
    }
    if text.contains("://") {
        return rejected(&format!("Telegram fetches http:// and https:// addresses only. {upload}"));
    }
    if text.contains('.') {
        return rejected(&format!(
            "This is neither a URL (it would begin with http:// or https://) nor a file_id (it has a dot in it). {upload}"
        ));
    }
    if text.len() > FILE_ID_LIMIT_BYTES || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return rejected(&format!(
            "This is neither a URL nor a file_id, which is made of A-Z a-z 0-9 _ and - only. {upload}"
        ));
    }
    Ok(InputFile::FileId(text))
}

/// What is wrong with a URL, if something is.
fn url_error(url: &str) -> Option<&'static str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host_and_port = authority.rsplit('@').next().unwrap_or("");
    let (host, port) = match host_and_port.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(("", ""), |(host, port)| (host, port.strip_prefix(':').unwrap_or(port))),
        None => host_and_port.split_once(':').unwrap_or((host_and_port, "")),
    };
    if url.len() > URL_LIMIT_BYTES {
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
            "Telegram takes a text without a dot for a file_id, so it would never fetch this URL. Upload the file instead.",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;
    use serde_json::json;

    fn read_from(mut fields: Fields, value: Value) -> Result<InputFile, Rejection> {
        fields.insert("photo", value).unwrap();
        let form = fields.is_form();
        let mut reader = FileRefReader { files: &mut UploadedFiles::default(), form, fields: &mut fields, within: "" };
        reader.required("photo").map(|file| file.input)
    }

    fn read(value: Value) -> Result<InputFile, Rejection> {
        read_from(Fields::json(), value)
    }

    #[test]
    fn urls_and_file_ids_are_told_apart_as_telegram_does() {
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
    fn what_telegram_would_misread_is_rejected() {
        let long = format!("https://example.com/{}", "x".repeat(URL_LIMIT_BYTES));
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
            &"A".repeat(FILE_ID_LIMIT_BYTES + 1),
            &long,
        ] {
            let rejection = read(json!(bad)).unwrap_err();
            assert_eq!(
                (rejection.code, rejection.field.as_deref()),
                (ProblemCode::InvalidPhoto, Some("photo")),
                "{bad}"
            );
        }
        for path in ["plot.png", "./my plot.png", "@plot.png", "/tmp/plot", "file:///tmp/plot.png"] {
            assert!(read(json!(path)).unwrap_err().detail.contains("-F photo=@FILE"), "{path}");
        }
    }

    #[test]
    fn a_form_names_a_digest_once() {
        let read = |text: String| read_from(Fields::form(), json!(text));
        let digest = Sha256::of(b"x");
        assert!(matches!(read(format!("{{\"sha256\":\"{digest}\"}}")), Ok(InputFile::Stored(d)) if d == digest));
        for bad in [format!("{{\"sha256\":\"{digest}\",\"sha256\":\"{digest}\"}}"), "{".to_owned(), "{}".to_owned()] {
            assert_eq!(read(bad.clone()).unwrap_err().field.as_deref(), Some("photo"), "{bad}");
        }
    }

    #[test]
    fn digests_are_read_and_other_members_rejected_by_name() {
        let digest = Sha256::of(b"x");
        assert!(matches!(read(json!({"sha256": digest.to_string()})), Ok(InputFile::Stored(d)) if d == digest));
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
