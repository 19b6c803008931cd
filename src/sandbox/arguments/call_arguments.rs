//! The arguments of a call: texts and files by name.

use super::percent::form_decoded;
use crate::sandbox::files::ReceivedFile;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::sync::Arc;

/// All parameters that are not files may be so long together, in bytes (Bot API server).
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// So many files may come with a call (Bot API server).
const MAX_FILES: usize = 50;

pub struct SandboxArguments {
    texts: HashMap<String, String>,
    files: HashMap<String, Arc<ReceivedFile>>,
    /// How many bytes of text may still come.
    text_bytes_left: usize,
    /// Some text was not UTF-8.
    pub garbled: bool,
}

/// A request that cannot be answered in the Bot API's JSON: its HTTP was wrong, or the connection broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestReadError {
    /// Answered with this status and an empty body, and the connection closed.
    Status(u16),
    /// Larger than what the reverse proxy in front of Telegram's Bot API takes.
    TooLarge,
}

impl Default for SandboxArguments {
    fn default() -> Self {
        Self { texts: HashMap::new(), files: HashMap::new(), text_bytes_left: MAX_TEXT_BYTES, garbled: false }
    }
}

impl SandboxArguments {
    /// The members of a JSON object.
    pub fn of_json(text: &str) -> Result<Self, RequestReadError> {
        let mut arguments = Self::default();
        arguments.add_json(text).map(|()| arguments)
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

    pub fn file(&self, name: &str) -> Option<Arc<ReceivedFile>> {
        self.files.get(name).cloned()
    }

    /// The bytes of all files.
    pub fn file_bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// How many bytes of text may still come.
    pub fn text_bytes_left(&self) -> usize {
        self.text_bytes_left
    }

    /// Takes a text, unless one of that name came before.
    pub fn add(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), RequestReadError> {
        self.text_bytes_left =
            self.text_bytes_left.checked_sub(name.len() + value.len()).ok_or(RequestReadError::Status(413))?;
        match (String::from_utf8(name), String::from_utf8(value)) {
            (Ok(name), Ok(value)) => {
                self.texts.entry(name).or_insert(value);
            }
            _ => self.garbled = true,
        }
        Ok(())
    }

    /// Takes the pairs of an urlencoded form.
    pub fn add_form(&mut self, form: &[u8]) -> Result<(), RequestReadError> {
        for pair in form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            self.add(form_decoded(name), form_decoded(value))?;
        }
        Ok(())
    }

    /// Takes the members of a JSON object.
    pub fn add_json(&mut self, text: &str) -> Result<(), RequestReadError> {
        json_members(text).into_iter().try_for_each(|(name, value)| self.add(name.into(), value.into()))
    }

    /// Takes a file, unless one of that name came before.
    pub fn add_file(&mut self, name: String, file: ReceivedFile) -> Result<(), RequestReadError> {
        if self.files.len() >= MAX_FILES {
            return Err(RequestReadError::Status(413));
        }
        self.files.entry(name).or_insert_with(|| Arc::new(file));
        Ok(())
    }
}

/// The members of a JSON object, up to where it is broken. Strings are unescaped; of all else the text itself is the
/// value, `null` included.
fn json_members(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let Some(mut rest) = text.trim_start().strip_prefix('{') else { return pairs };
    loop {
        let Some((name, after)) = split_value(rest) else { return pairs };
        let (Ok(name), Some(after)) = (serde_json::from_str(name), after.trim_start().strip_prefix(':')) else {
            return pairs;
        };
        let Some((value, after)) = split_value(after) else { return pairs };
        pairs.push((name, serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())));
        let Some(after) = after.trim_start().strip_prefix(',') else { return pairs };
        rest = after;
    }
}

fn split_value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (value, rest) = text.split_at(values.byte_offset());
    Some((value.trim(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> SandboxArguments {
        let mut arguments = SandboxArguments::default();
        arguments.add_form(form.as_bytes()).unwrap();
        arguments
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
        let mut arguments = SandboxArguments { text_bytes_left: 10, ..SandboxArguments::default() };
        assert_eq!(arguments.add(b"name".to_vec(), b"longer".to_vec()), Ok(()));
        assert_eq!(arguments.add(b"a".to_vec(), Vec::new()), Err(RequestReadError::Status(413)));
    }
    #[test]
    fn json_becomes_texts_and_what_comes_before_a_fault_is_kept() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            json_members(
                r#" {"chat_id": 12, "caption":"a\n\"b\"", "reply_markup" : {"x":[1, 2]}, "n":null, "t":true}"#
            ),
            [
                pair("chat_id", "12"),
                pair("caption", "a\n\"b\""),
                pair("reply_markup", r#"{"x":[1, 2]}"#),
                pair("n", "null"),
                pair("t", "true"),
            ]
        );
        assert_eq!(json_members(r#"{"chat_id":1,"caption":"cut"#), [pair("chat_id", "1")]);
        assert_eq!(json_members(r#"{"chat_id":1 "caption":"x"}"#), [pair("chat_id", "1")]);
        for nothing in ["", "[1]", "{", "{}", "{1:2}", "nonsense"] {
            assert_eq!(json_members(nothing), [], "{nothing}");
        }
    }
}
