//! The arguments of a call: one flat list of texts, of which the first of a name wins, and files.

use super::error::BotApiError;
use super::percent::decode_form;
use crate::intake::spool::Upload;
use serde_json::{Map, Value};

/// How long all parameters that are not files may be together, in bytes (Bot API server).
pub(super) const TEXT_LIMIT_BYTES: usize = 1 << 20;
/// How many files may come with a call (Bot API server).
const MAX_FILES: usize = 50;
/// How much a body may hold beside its largest file, in bytes.
pub(super) const BESIDE_FILE_BYTES: u64 = 1 << 20;

/// The arguments of a call.
pub struct CallArguments {
    /// The texts, each a [`Value::String`], in the order in which they came.
    pub texts: Map<String, Value>,
    /// The files.
    pub files: Vec<FilePart>,
    /// How many bytes of text may still come.
    remaining_text_bytes: usize,
    /// Whether a name or a text was not UTF-8.
    pub(super) has_invalid_utf8: bool,
}

/// A file that came with a call.
#[derive(Debug)]
pub struct FilePart {
    /// The part's name.
    pub name: String,
    /// The filename that its sender gave it; may be empty.
    pub filename: String,
    /// Its bytes, on disk.
    pub upload: Upload,
}

impl CallArguments {
    /// No arguments yet.
    pub fn new() -> Self {
        Self { texts: Map::new(), files: Vec::new(), remaining_text_bytes: TEXT_LIMIT_BYTES, has_invalid_utf8: false }
    }

    /// The text of a name; an empty one counts as missing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// How many bytes of text may still come.
    pub fn remaining_text_bytes(&self) -> usize {
        self.remaining_text_bytes
    }

    /// Adds a text, unless one of that name came before.
    pub fn add(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), BotApiError> {
        self.remaining_text_bytes =
            self.remaining_text_bytes.checked_sub(name.len() + value.len()).ok_or(BotApiError::Http(413))?;
        match (String::from_utf8(name), String::from_utf8(value)) {
            (Ok(name), Ok(value)) => {
                self.texts.entry(name).or_insert(Value::String(value));
            }
            _ => self.has_invalid_utf8 = true,
        }
        Ok(())
    }

    /// Adds the pairs of an urlencoded form.
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

    /// Rejects one file too many, before it is read.
    pub fn check_file_count(&self) -> Result<(), BotApiError> {
        if self.files.len() < MAX_FILES { Ok(()) } else { Err(BotApiError::Http(413)) }
    }

    /// Adds a file, unless one of that name came before.
    pub fn add_file(&mut self, file: FilePart) {
        if self.files.iter().all(|other| other.name != file.name) {
            self.files.push(file);
        }
    }
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
        assert!(arguments.has_invalid_utf8);
    }

    #[test]
    fn texts_are_bounded_together() {
        let mut arguments = CallArguments { remaining_text_bytes: 10, ..CallArguments::new() };
        assert_eq!(arguments.add(b"name".to_vec(), b"longer".to_vec()), Ok(()));
        assert_eq!(arguments.add(b"a".to_vec(), Vec::new()), Err(BotApiError::Http(413)));
    }
}
