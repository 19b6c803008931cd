//! One request of the corpus, as bytes, with gaps for what differs between two servers.
//!
//! The gaps are `@TOKEN@`, file_ids (`@PHOTO@`, `@DOCUMENT@`, `@VIDEO@`, `@AUDIO@`, `@VOICE@`, `@ANIMATION@`,
//! `@THUMBNAIL@`, and `@FOREIGN@`, the photo of another bot), `@PATH@` of a file to download, and the ids of messages
//! that are sent for the one request: `@SENT@`, a photo with a caption, and `@TEXT@`.

use reqwest::Method;
use serde_json::Value;

/// A picture.
pub const PICTURE: &[u8] = include_bytes!("../../clients/media/chart.png");

/// The private chat in which most of it happens.
pub const CHAT: i64 = 42;

/// See the module.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub verb: Method,
    /// Path and query.
    pub target: String,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Case {
    fn new(name: impl Into<String>, verb: Method, method: &str) -> Self {
        let target = format!("/bot@TOKEN@/{method}");
        Self { name: name.into(), verb, target, content_type: None, body: Vec::new() }
    }

    /// Without a body.
    pub fn bare(name: impl Into<String>, verb: Method, method: &str) -> Self {
        Self::new(name, verb, method)
    }

    /// `GET` with a query.
    pub fn get(name: impl Into<String>, method: &str, fields: &[(&str, &str)]) -> Self {
        let mut case = Self::new(name, Method::GET, method);
        case.target = format!("{}?{}", case.target, encoded(fields));
        case
    }

    /// A JSON body.
    pub fn json(name: impl Into<String>, method: &str, body: Value) -> Self {
        Self::raw(name, method, "application/json", body.to_string())
    }

    /// An urlencoded body.
    pub fn form(name: impl Into<String>, method: &str, fields: &[(&str, &str)]) -> Self {
        Self::raw(name, method, "application/x-www-form-urlencoded", encoded(fields))
    }

    /// A multipart body.
    pub fn parts(name: impl Into<String>, method: &str, parts: &[Part]) -> Self {
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(format!("--{BOUNDARY}\r\n{}\r\n\r\n", part.head).as_bytes());
            body.extend_from_slice(&part.content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        Self::raw(name, method, &format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    /// Any body.
    pub fn raw(name: impl Into<String>, method: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut case = Self::new(name, Method::POST, method);
        case.content_type = Some(content_type.to_owned());
        case.body = body.into();
        case
    }

    /// The same with another path and query.
    pub fn at(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    /// The same without a content type.
    pub fn untyped(mut self) -> Self {
        self.content_type = None;
        self
    }

    /// Whether it has such a gap.
    pub fn mentions(&self, gap: &str) -> bool {
        self.target.contains(gap) || find(&self.body, gap.as_bytes()).is_some()
    }

    /// The same with a gap filled.
    pub fn fill(&mut self, gap: &str, with: &str) {
        self.target = self.target.replace(gap, with);
        while let Some(at) = find(&self.body, gap.as_bytes()) {
            self.body.splice(at..at + gap.len(), with.bytes());
        }
    }
}

pub const BOUNDARY: &str = "a-boundary-of-the-corpus";

/// A part of a multipart body.
pub struct Part {
    head: String,
    content: Vec<u8>,
}

impl Part {
    /// A field.
    pub fn text(name: &str, value: &str) -> Self {
        Self::new(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
    }

    /// A file.
    pub fn file(name: &str, file_name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::new(&format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\""), content)
    }

    /// A picture called `photo.png`.
    pub fn picture(name: &str) -> Self {
        Self::file(name, "photo.png", PICTURE)
    }

    /// The chat.
    pub fn chat() -> Self {
        Self::text("chat_id", &CHAT.to_string())
    }

    /// Any headers.
    pub fn new(head: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { head: head.to_owned(), content: content.into() }
    }
}

/// Percent-encodes all but what a URL may hold; `@` stays, for the gaps.
fn encoded(fields: &[(&str, &str)]) -> String {
    let one = |text: &str| -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~@".contains(&b);
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", one(name), one(value))).collect::<Vec<_>>().join("&")
}

fn find(body: &[u8], text: &[u8]) -> Option<usize> {
    body.windows(text.len()).position(|window| window == text)
}
