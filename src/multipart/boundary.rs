//! The boundary that a `Content-Type` names.

use super::error::MultipartError;
use super::reading::Reading;

/// The longest boundary (RFC 2046, and the Bot API server).
const LIMIT_BYTES: usize = 70;

/// What separates the parts of a form, without the dashes in front: 1 to 70 bytes, none of them a line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(Vec<u8>);

impl Boundary {
    /// Takes the boundary out of the value of a `Content-Type`.
    ///
    /// # Errors
    /// If there is none, or it is too long.
    pub fn of_content_type(header: &[u8], reading: Reading) -> Result<Self, MultipartError> {
        let value = match reading {
            Reading::AsTelegram => as_telegram(header),
            Reading::Lenient => lenient(header),
        };
        Self::new(value.ok_or(MultipartError::NoBoundary)?)
    }

    fn new(value: Vec<u8>) -> Result<Self, MultipartError> {
        match value.len() {
            0 => Err(MultipartError::NoBoundary),
            1..=LIMIT_BYTES if value.iter().all(|byte| !b"\r\n".contains(byte)) => Ok(Self(value)),
            1..=LIMIT_BYTES => Err(MultipartError::NoBoundary),
            _ => Err(MultipartError::LongBoundary),
        }
    }

    /// What stands between two parts: a line break, two dashes, the boundary.
    pub(super) fn delimiter(&self) -> Vec<u8> {
        [b"\r\n--", self.0.as_slice()].concat()
    }
}

/// What is behind the first `=` after the word, up to a semicolon, without a pair of quotes around it.
fn as_telegram(header: &[u8]) -> Option<Vec<u8>> {
    let word = position(&header.to_ascii_lowercase(), b"boundary")?;
    let rest = &header[word..];
    let value = &rest[rest.iter().position(|byte| *byte == b'=')? + 1..];
    let value = value.split(|byte| *byte == b';').next()?;
    Some(unquoted(value).unwrap_or(value).to_vec())
}

/// The same, but what is quoted goes on to the closing quote, and spaces do not belong to it.
fn lenient(header: &[u8]) -> Option<Vec<u8>> {
    let word = position(&header.to_ascii_lowercase(), b"boundary")?;
    let rest = &header[word..];
    let value = rest[rest.iter().position(|byte| *byte == b'=')? + 1..].trim_ascii();
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = quoted.iter().position(|byte| *byte == b'"').unwrap_or(quoted.len());
        return Some(quoted[..end].to_vec());
    }
    Some(value.split(|byte| *byte == b';').next()?.trim_ascii().to_vec())
}

fn unquoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, reading: Reading) -> Result<String, MultipartError> {
        let boundary = Boundary::of_content_type(header.as_bytes(), reading)?;
        Ok(String::from_utf8(boundary.0).unwrap())
    }

    #[test]
    fn a_boundary_may_have_any_characters() {
        let seventy = "b".repeat(70);
        for (header, boundary) in [
            ("multipart/form-data; boundary=abc", "abc"),
            ("multipart/form-data; boundary=\"abc\"", "abc"),
            ("multipart/form-data; boundary=====1700000000000===", "====1700000000000==="),
            ("multipart/form-data; boundary=a:b/c?d=e'(f)+_,-.", "a:b/c?d=e'(f)+_,-."),
            ("multipart/form-data; boundary=----7e83e29bb8f61021----; charset=UTF-8", "----7e83e29bb8f61021----"),
            ("multipart/form-data; charset=utf-8; Boundary=aBc;", "aBc"),
            ("MULTIPART/FORM-DATA;BOUNDARY=aBc", "aBc"),
            ("multipart/form-data; boundary=a b", "a b"),
            ("multipart/form-data boundary=abc", "abc"),
            (&format!("multipart/form-data; boundary={seventy}"), &seventy),
        ] {
            for reading in [Reading::AsTelegram, Reading::Lenient] {
                assert_eq!(read(header, reading).as_deref(), Ok(boundary), "{header} {reading:?}");
            }
        }
    }

    #[test]
    fn the_two_ways_to_read_one_differ_in_quotes_and_spaces() {
        for (header, telegram, lenient) in [
            ("multipart/form-data; boundary=\"a;b\"", "\"a", "a;b"),
            ("multipart/form-data; boundary = abc ; charset=x", " abc ", "abc"),
            ("multipart/form-data; boundary=\"abc\" ", "\"abc\" ", "abc"),
        ] {
            assert_eq!(read(header, Reading::AsTelegram).as_deref(), Ok(telegram));
            assert_eq!(read(header, Reading::Lenient).as_deref(), Ok(lenient));
        }
    }

    #[test]
    fn none_and_too_long_a_one_are_told_apart() {
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            for none in [
                "multipart/form-data",
                "multipart/form-data; boundary",
                "multipart/form-data; boundary=",
                "boundary=\"\"",
            ] {
                assert_eq!(read(none, reading), Err(MultipartError::NoBoundary), "{none}");
            }
            let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
            assert_eq!(read(&long, reading), Err(MultipartError::LongBoundary));
        }
    }
}
