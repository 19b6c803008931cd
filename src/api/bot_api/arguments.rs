//! What a call was given, read as the Bot API server reads it: query string, urlencoded form, JSON and multipart all
//! become one flat list of texts, of which the first of a name wins; other content types are ignored.

use super::percent::decode_form;
use crate::api::bot_api::error::BotApiError;
use crate::api::bot_api::{form, json};
use crate::http::body::Body;
use crate::intake::spool::{Spool, Upload};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use futures_util::StreamExt;
use serde_json::{Map, Value};
use std::time::Duration;

/// All parameters that are not files may be so long together, in bytes (Bot API server).
const TEXT_LIMIT: usize = 1 << 20;
/// So many files may come with a call (Bot API server).
const MAX_FILES: usize = 50;
/// What comes with the largest file, in bytes.
const BESIDE_FILES: u64 = 1 << 20;
/// The slowest connection that is waited for, in bytes per second.
const SLOWEST: u64 = 35_000;

/// The arguments of a call.
pub struct CallArguments {
    /// The texts, each a [`Value::String`], in the order of their coming.
    pub texts: Map<String, Value>,
    /// The files.
    pub files: Vec<FilePart>,
    room: usize,
    garbled: bool,
}

/// A file that came along.
#[derive(Debug)]
pub struct FilePart {
    /// The part's name.
    pub name: String,
    /// What its sender calls it; may be empty.
    pub filename: String,
    /// Its bytes, on disk.
    pub upload: Upload,
}

impl CallArguments {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { texts: Map::new(), files: Vec::new(), room: TEXT_LIMIT, garbled: false }
    }

    /// Reads a request; files go to disk as they arrive, each of at most `file_limit` bytes.
    pub async fn read(
        request: &HttpRequest,
        payload: Payload,
        spool: &Spool,
        file_limit: u64,
    ) -> Result<Self, BotApiError> {
        let mut arguments = Self::new();
        arguments.add_form(request.query_string().as_bytes())?;
        let limit = file_limit + BESIDE_FILES;
        let patience = Duration::from_secs(300.max(limit / SLOWEST));
        let body = Body::within(request, payload, limit, patience)?;
        match content_type(request).as_str() {
            "application/x-www-form-urlencoded" => arguments.add_form(&whole(body).await?)?,
            "application/json" => match String::from_utf8(whole(body).await?) {
                Ok(text) => {
                    for (name, value) in json::members(&text) {
                        arguments.add(name.into(), value.into())?;
                    }
                }
                Err(_) => arguments.garbled = true,
            },
            "multipart/form-data" => form::read(request, body, spool, file_limit, &mut arguments).await?,
            _ => ignored(body).await?,
        }
        match arguments.garbled {
            true => Err(BotApiError::bad("strings must be encoded in UTF-8")),
            false => Ok(arguments),
        }
    }

    /// A text; an empty one counts as missing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// How many bytes of text may still come.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Takes a text, unless one of that name came before.
    pub fn add(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), BotApiError> {
        self.room = self.room.checked_sub(name.len() + value.len()).ok_or(BotApiError::Http(413))?;
        match (String::from_utf8(name), String::from_utf8(value)) {
            (Ok(name), Ok(value)) => {
                self.texts.entry(name).or_insert(Value::String(value));
            }
            _ => self.garbled = true,
        }
        Ok(())
    }

    /// Takes the pairs of an urlencoded form.
    pub fn add_form(&mut self, form: &[u8]) -> Result<(), BotApiError> {
        for pair in form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            self.add(decode_form(name), decode_form(value))?;
        }
        Ok(())
    }

    /// Refuses one file too many, before it is read.
    pub fn expect_file(&self) -> Result<(), BotApiError> {
        if self.files.len() < MAX_FILES { Ok(()) } else { Err(BotApiError::Http(413)) }
    }

    /// Takes a file, unless one of that name came before.
    pub fn add_file(&mut self, file: FilePart) {
        if self.files.iter().all(|other| other.name != file.name) {
            self.files.push(file);
        }
    }
}

/// The content type without its parameters, in lower case.
pub fn content_type(request: &HttpRequest) -> String {
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    header.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// A body that is all text.
async fn whole(mut body: Body) -> Result<Vec<u8>, BotApiError> {
    let mut text = Vec::new();
    while let Some(piece) = body.pieces.next().await {
        let piece = piece.map_err(|_| BotApiError::from(body.error.rejection()))?;
        if text.len() + piece.len() > TEXT_LIMIT {
            return Err(BotApiError::Http(413));
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

/// A body that means nothing.
async fn ignored(mut body: Body) -> Result<(), BotApiError> {
    while let Some(piece) = body.pieces.next().await {
        piece.map_err(|_| BotApiError::from(body.error.rejection()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_wins_and_empty_is_missing() {
        let mut arguments = CallArguments::new();
        arguments.add_form(b"a=1&a=2&b=x+y%21&c=&d").unwrap();
        assert_eq!(arguments.text("a"), Some("1"));
        assert_eq!(arguments.text("b"), Some("x y!"));
        assert_eq!([arguments.text("c"), arguments.text("d"), arguments.text("e")], [None; 3]);
        arguments.add_form(b"a=%FF").unwrap();
        assert!(arguments.garbled);
    }

    #[test]
    fn texts_are_bounded_together() {
        let mut arguments = CallArguments { room: 10, ..CallArguments::new() };
        assert_eq!(arguments.add(b"name".to_vec(), b"longer".to_vec()), Ok(()));
        assert_eq!(arguments.add(b"a".to_vec(), Vec::new()), Err(BotApiError::Http(413)));
    }
}
