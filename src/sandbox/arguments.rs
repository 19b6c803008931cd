//! What a call was given, read as the Bot API server reads it: query string, urlencoded form, JSON and multipart all
//! become one flat list of texts, of which the first of a name wins; other content types are ignored.

use super::State;
use super::form;
use super::store::Upload;
use actix_web::HttpRequest;
use actix_web::web::Payload;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::sync::Arc;

/// All parameters that are not files may be so long together, in bytes (Bot API server).
pub(super) const TEXT_LIMIT: usize = 1 << 20;
/// So many files may come with a call (Bot API server).
const MAX_FILES: usize = 50;

/// The arguments of a call.
#[derive(Default)]
pub(super) struct Arguments {
    texts: HashMap<String, String>,
    files: HashMap<String, Arc<Upload>>,
    room: usize,
    /// Some text was not UTF-8.
    pub garbled: bool,
}

/// A request that is not answered in the envelope: its HTTP was wrong, or it went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Answered with this status and an empty body, and the connection closed.
    Status(u16),
    /// Over what the proxy in front of the cloud takes.
    TooLarge,
}

impl Arguments {
    /// Reads a request. Files go to the disk as they arrive.
    pub async fn read(state: &State, request: &HttpRequest, payload: Payload) -> Result<Self, Unreadable> {
        let mut arguments = Self { room: TEXT_LIMIT, ..Self::default() };
        arguments.add_form(request.query_string().as_bytes())?;
        let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        let content_type = header.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match content_type.as_str() {
            "application/x-www-form-urlencoded" => {
                let body = form::body(payload, TEXT_LIMIT).await?;
                arguments.add_form(&body)?;
            }
            "application/json" => {
                let body = form::body(payload, TEXT_LIMIT).await?;
                let (pairs, garbled) = match std::str::from_utf8(&body) {
                    Ok(text) => (json_pairs(text), false),
                    Err(_) => (Vec::new(), true),
                };
                arguments.garbled |= garbled;
                pairs.into_iter().try_for_each(|(name, value)| arguments.add(name.into(), value.into()))?;
            }
            "multipart/form-data" => form::read_multipart(state, request, payload, &mut arguments).await?,
            _ => form::drain(payload, state.options.max_body()).await?,
        }
        Ok(arguments)
    }

    /// The members of a JSON object.
    pub fn of_json(text: &str) -> Option<Self> {
        let mut arguments = Self { room: TEXT_LIMIT, ..Self::default() };
        json_pairs(text).into_iter().try_for_each(|(name, value)| arguments.add(name.into(), value.into())).ok()?;
        Some(arguments)
    }

    /// A text; empty counts as missing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether it was given, if only empty.
    pub fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// A number; one that cannot be read is 0.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name).map(|text| text.trim().parse().unwrap_or(0))
    }

    /// Whether a flag is set: `true`, `yes` or `1`.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| ["true", "yes", "1"].contains(&text.to_ascii_lowercase().as_str()))
    }

    /// A file part.
    pub fn file(&self, name: &str) -> Option<Arc<Upload>> {
        self.files.get(name).cloned()
    }

    /// The bytes of all files.
    pub fn file_bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// How many bytes of text may still come.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Takes a text, unless one of that name came before.
    pub(super) fn add(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), Unreadable> {
        self.room = self.room.checked_sub(name.len() + value.len()).ok_or(Unreadable::Status(413))?;
        match (String::from_utf8(name), String::from_utf8(value)) {
            (Ok(name), Ok(value)) => {
                self.texts.entry(name).or_insert(value);
            }
            _ => self.garbled = true,
        }
        Ok(())
    }

    /// Takes the pairs of an urlencoded form.
    pub(super) fn add_form(&mut self, form: &[u8]) -> Result<(), Unreadable> {
        for pair in form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            self.add(form::percent_decoded(name, true), form::percent_decoded(value, true))?;
        }
        Ok(())
    }

    /// Takes a file, unless one of that name came before.
    pub(super) fn add_file(&mut self, name: String, file: Upload) -> Result<(), Unreadable> {
        if self.files.len() >= MAX_FILES {
            return Err(Unreadable::Status(413));
        }
        self.files.entry(name).or_insert_with(|| Arc::new(file));
        Ok(())
    }
}

/// The members of a JSON object, up to where it is broken. Strings are unescaped; of all else the text itself is the
/// value, `null` included.
fn json_pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let Some(mut rest) = text.trim_start().strip_prefix('{') else { return pairs };
    loop {
        let Some((name, after)) = json_value(rest) else { return pairs };
        let (Ok(name), Some(after)) = (serde_json::from_str(name), after.trim_start().strip_prefix(':')) else {
            return pairs;
        };
        let Some((value, after)) = json_value(after) else { return pairs };
        pairs.push((name, serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())));
        let Some(after) = after.trim_start().strip_prefix(',') else { return pairs };
        rest = after;
    }
}

/// Splits a JSON value off.
fn json_value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (value, rest) = text.split_at(values.byte_offset());
    Some((value.trim(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Arguments {
        let mut arguments = Arguments { room: TEXT_LIMIT, ..Arguments::default() };
        arguments.add_form(form.as_bytes()).unwrap();
        arguments
    }

    #[test]
    fn json_becomes_texts_and_what_comes_before_a_fault_is_kept() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            json_pairs(r#" {"chat_id": 12, "caption":"a\n\"b\"", "reply_markup" : {"x":[1, 2]}, "n":null, "t":true}"#),
            [
                pair("chat_id", "12"),
                pair("caption", "a\n\"b\""),
                pair("reply_markup", r#"{"x":[1, 2]}"#),
                pair("n", "null"),
                pair("t", "true"),
            ]
        );
        assert_eq!(json_pairs(r#"{"chat_id":1,"caption":"cut"#), [pair("chat_id", "1")]);
        assert_eq!(json_pairs(r#"{"chat_id":1 "caption":"x"}"#), [pair("chat_id", "1")]);
        for nothing in ["", "[1]", "{", "{}", "{1:2}", "nonsense"] {
            assert_eq!(json_pairs(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn the_first_of_a_name_wins_and_empty_is_missing() {
        let arguments = read("a=1&a=2&b=x+y%21&c=&d&flag=Yes&n=abc");
        assert_eq!(arguments.text("a"), Some("1"));
        assert_eq!(arguments.text("b"), Some("x y!"));
        assert_eq!(arguments.text("c"), None);
        assert_eq!(arguments.text("d"), None);
        assert!(arguments.flag("flag") && !arguments.flag("a2") && arguments.flag("a"));
        assert_eq!(arguments.integer("n"), Some(0));
        assert!(read("a=%FF").garbled);
    }

    #[test]
    fn text_is_bounded() {
        let mut arguments = Arguments { room: 10, ..Arguments::default() };
        assert_eq!(arguments.add(b"name".to_vec(), b"longer".to_vec()), Ok(()));
        assert_eq!(arguments.add(b"a".to_vec(), Vec::new()), Err(Unreadable::Status(413)));
    }
}
