//! The arguments of a call: one flat list of texts, of which the first of a name wins, and files.

use super::error::BotApiError;
use crate::domain::raw_json;
use crate::http::percent::decode_form;
use crate::intake::spool::Upload;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

/// How long all parameters that are not files may be together, in bytes (Bot API server).
pub(super) const TEXT_LIMIT_BYTES: usize = 1 << 20;
/// How many parameters a call may have, far more than any method knows: each takes some memory beside its text.
const MAX_TEXTS: usize = 1000;
/// How many files may come with a call (Bot API server).
const MAX_FILES: usize = 50;
/// How much a body may hold beside its largest file, in bytes.
pub(super) const BESIDE_FILE_BYTES: u64 = 1 << 20;

/// The parameters that Telegram reads as text, or as JSON that holds text: one that is not UTF-8 is refused there. In all
/// others it is ignored, or as wrong as any other.
const READ_AS_TEXT: &str = " text caption entities caption_entities media reply_markup reply_parameters \
    link_preview_options title performer question question_entities options explanation explanation_entities description \
    description_entities checklist phone_number first_name last_name vcard address prices payload suggested_post_parameters ";
/// The parameters that name a file: only a URL is read as text there, and anything else is no file_id, in whatever way.
const FILES: &str = " photo document animation video audio voice video_note sticker ";

/// The arguments of a call.
pub struct CallArguments {
    /// The texts, each a [`Value::String`], in the order in which they came.
    pub texts: Map<String, Value>,
    /// The files.
    pub files: Vec<FilePart>,
    /// How many bytes of text may still come.
    remaining_text_bytes: usize,
    /// Those of the texts that were not UTF-8; what was wrong in them has been replaced.
    garbled: Vec<String>,
    /// What a call with large parameters holds as long as they are in memory.
    pub(super) hold: Option<OwnedSemaphorePermit>,
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
        Self {
            texts: Map::new(),
            files: Vec::new(),
            remaining_text_bytes: TEXT_LIMIT_BYTES,
            garbled: Vec::new(),
            hold: None,
        }
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
        self.count(name.len() + value.len())?;
        self.put(name, value)
    }

    /// Adds the pairs of an urlencoded form.
    pub fn add_form(&mut self, form: &[u8]) -> Result<(), BotApiError> {
        self.count(form.len())?;
        for pair in form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            self.put(decode_form(name), decode_form(value))?;
        }
        Ok(())
    }

    /// Adds the members of a JSON object, up to where it is broken (Bot API server): of a string what it says, of any other
    /// value its text.
    pub fn add_json(&mut self, json: &[u8]) -> Result<(), BotApiError> {
        self.count(json.len())?;
        raw_json::members(json).try_for_each(|(name, value)| self.put(name, value.text().into_owned()))
    }

    /// Rejects a text that is not UTF-8 where Telegram would read it as text, in its words.
    pub fn check_utf8(&self) -> Result<(), BotApiError> {
        let is_among = |names: &str, name: &str| names.split(' ').any(|known| known == name);
        let is_url = |name: &str| self.text(name).is_some_and(|text| text.starts_with("http"));
        let read = |name: &&String| is_among(READ_AS_TEXT, name) || is_among(FILES, name) && is_url(name);
        let Some(name) = self.garbled.iter().find(read) else { return Ok(()) };
        let has_markup = self.text("parse_mode").is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
        Err(BotApiError::bad(match name.as_str() {
            "text" | "caption" if has_markup => "text must be encoded in UTF-8",
            "reply_markup" => "inline keyboard button text must be encoded in UTF-8",
            name if is_among(FILES, name) => "URL must be in UTF-8",
            _ => "strings must be encoded in UTF-8",
        }))
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

    fn count(&mut self, bytes: usize) -> Result<(), BotApiError> {
        self.remaining_text_bytes = self.remaining_text_bytes.checked_sub(bytes).ok_or(BotApiError::Http(413))?;
        Ok(())
    }

    fn put(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), BotApiError> {
        let name = lossy(name).0;
        if self.texts.contains_key(&name) {
            return Ok(());
        }
        if self.texts.len() >= MAX_TEXTS {
            return Err(BotApiError::Http(413));
        }
        let (value, is_garbled) = lossy(value);
        if is_garbled {
            self.garbled.push(name.clone());
        }
        self.texts.insert(name, Value::String(value));
        Ok(())
    }
}

/// Bytes as text, and whether something in them had to be replaced.
fn lossy(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_wins_and_empty_is_missing() {
        let mut arguments = CallArguments::new();
        arguments.add_form(b"a=1&a=2&b=x+y%21&c=&d").unwrap();
        arguments.add_json(br#"{"a": 3, "e": {"f": "\."}, "g": "\.", "h": nonsense"#).unwrap();
        assert_eq!(
            ["a", "b", "e", "g"].map(|name| arguments.text(name)),
            [Some("1"), Some("x y!"), Some(r#"{"f": "\."}"#), Some(".")]
        );
        assert_eq!(["c", "d", "h"].map(|name| arguments.text(name)), [None; 3]);
    }

    #[test]
    fn what_is_not_utf8_is_refused_where_it_is_read() {
        let refused = |form: &[u8]| {
            let mut arguments = CallArguments::new();
            arguments.add_form(form).unwrap();
            arguments.check_utf8()
        };
        let words = |words: &str| Err(BotApiError::bad(words));
        assert_eq!(refused(b"text=%FF"), words("strings must be encoded in UTF-8"));
        assert_eq!(refused(b"caption=%FF&parse_mode="), words("strings must be encoded in UTF-8"));
        assert_eq!(refused(b"caption=%FF&parse_mode=html"), words("text must be encoded in UTF-8"));
        assert_eq!(refused(b"photo=https://e.org/%FF"), words("URL must be in UTF-8"));
        assert_eq!(refused(b"tomorrow=%FF&%FF=1&chat_id=%FF&text=first&text=%FF&photo=%FF.png"), Ok(()));
    }

    #[test]
    fn texts_are_bounded_together() {
        let mut arguments = CallArguments { remaining_text_bytes: 10, ..CallArguments::new() };
        assert_eq!(arguments.add(b"name".to_vec(), b"longer".to_vec()), Ok(()));
        assert_eq!(arguments.add(b"a".to_vec(), Vec::new()), Err(BotApiError::Http(413)));
        assert_eq!(arguments.add_json(b"{"), Err(BotApiError::Http(413)));
    }
}
