//! The arguments of a call: texts and files by name.

use super::json::Json;
use super::percent::form_decoded;
use crate::sandbox::files::ReceivedFile;
use std::collections::HashMap;
use std::sync::Arc;

/// All parameters that are not files may be so long together, in bytes (Bot API server).
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// So many files may come with a call (Bot API server).
const MAX_FILES: usize = 50;

pub struct SandboxArguments {
    texts: HashMap<String, ReceivedText>,
    files: HashMap<String, Arc<ReceivedFile>>,
    /// How many bytes of text may still come.
    text_bytes_left: usize,
}

struct ReceivedText {
    text: String,
    /// What was received, if that is not UTF-8; in the text it has been replaced.
    garbled: Option<Vec<u8>>,
}

impl From<Vec<u8>> for ReceivedText {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { text, garbled: None },
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self { text, garbled: Some(error.into_bytes()) }
            }
        }
    }
}

/// A whole number as the Bot API server reads it: the digits at the beginning, wrapped if there are too many.
pub fn leading_integer(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let digits = digits.bytes().map_while(|byte| byte.is_ascii_digit().then(|| i64::from(byte - b'0')));
    digits.fold(0i64, |number, digit| number.wrapping_mul(10).wrapping_add(digit)).wrapping_mul(sign)
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
        Self { texts: HashMap::new(), files: HashMap::new(), text_bytes_left: MAX_TEXT_BYTES }
    }
}

impl SandboxArguments {
    /// The members of a JSON object.
    pub fn of_json(text: &[u8]) -> Result<Self, RequestReadError> {
        let mut arguments = Self::default();
        arguments.add_json(text).map(|()| arguments)
    }

    /// A text, with what is not UTF-8 replaced; empty counts as missing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|text| text.text.as_str()).filter(|text| !text.is_empty())
    }

    /// A text as it was received; empty if it is missing.
    pub fn bytes(&self, name: &str) -> &[u8] {
        self.texts.get(name).map_or(&[], |text| text.garbled.as_deref().unwrap_or(text.text.as_bytes()))
    }

    /// Whether it was given, if only empty.
    pub fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// A number of 32 bits, into which larger ones are wrapped.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name).map(|text| i64::from(leading_integer(text) as i32))
    }

    /// Whether a flag is set: `true`, `yes` or `1`.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| ["true", "yes", "1"].contains(&text.trim().to_ascii_lowercase().as_str()))
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
        let name = String::from_utf8_lossy(&name).into_owned();
        self.texts.entry(name).or_insert_with(|| value.into());
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
    pub fn add_json(&mut self, text: &[u8]) -> Result<(), RequestReadError> {
        Json::members(text).into_iter().try_for_each(|(name, value)| self.add(name, value))
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
        let arguments = read("a=1&a=2&b=x+y%21&c=&d&flag=Yes%0A&n=abc&g=%FF");
        assert_eq!(arguments.text("a"), Some("1"));
        assert_eq!(arguments.text("b"), Some("x y!"));
        assert_eq!(arguments.text("c"), None);
        assert_eq!(arguments.text("d"), None);
        assert!(arguments.flag("flag") && !arguments.flag("a2") && arguments.flag("a"));
        assert_eq!(arguments.integer("n"), Some(0));
        assert_eq!((arguments.text("g"), arguments.bytes("g")), (Some("\u{fffd}"), &[0xff][..]));
    }

    #[test]
    fn numbers_are_what_they_begin_with() {
        for (text, number) in [
            ("12abc", 12),
            ("123.0", 123),
            ("1e3", 1),
            ("-7\n", -7),
            (" 1", 0),
            ("+1", 0),
            ("-", 0),
            ("4294967301", 5),
            ("2147483648", -2_147_483_648),
        ] {
            assert_eq!(read(&format!("n={}", text.replace('+', "%2B"))).integer("n"), Some(number), "{text}");
        }
        assert_eq!(leading_integer("18446744073709551658"), 42);
    }

    #[test]
    fn text_is_bounded() {
        let mut arguments = SandboxArguments { text_bytes_left: 10, ..SandboxArguments::default() };
        assert_eq!(arguments.add(b"name".to_vec(), b"longer".to_vec()), Ok(()));
        assert_eq!(arguments.add(b"a".to_vec(), Vec::new()), Err(RequestReadError::Status(413)));
    }
}
