//! The headers of a part.

use super::disposition::{Disposition, trim};
use super::error::MultipartError;
use super::reading::Reading;

/// What a part says about itself. All else that it says is ignored, a `Content-Length` too (RFC 7578, section 4.8): it is
/// often that of the characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// The name of its field, never empty; UTF-8 unless the client writes otherwise.
    pub name: Vec<u8>,
    /// The name of its file, if one is given, be it empty; UTF-8 unless the client writes otherwise.
    pub filename: Option<Vec<u8>>,
    /// Its `Content-Type` as it stands there; empty if there is none.
    pub content_type: Vec<u8>,
    /// Its `Content-Transfer-Encoding`, if it has one.
    pub transfer_encoding: Option<Vec<u8>>,
}

impl PartHead {
    /// Reads header lines, each with its line break.
    pub(super) fn read(lines: &[u8], reading: Reading) -> Result<Self, MultipartError> {
        let (mut head, mut rest) = (Self::default(), lines);
        while !rest.is_empty() {
            let (name, value, after) = next_header(rest).ok_or(malformed(rest, reading))?;
            if reading == Reading::Lenient && has_bare_line_feed(value) {
                return Err(MultipartError::BareLineFeeds);
            }
            rest = after;
            let value = trim(value);
            match trim(name).to_ascii_lowercase().as_slice() {
                b"content-disposition" => {
                    let found = Disposition::read(value, reading)?;
                    if !found.name.is_empty() {
                        head.name = found.name;
                    }
                    head.filename = found.filename.or(head.filename);
                }
                b"content-type" => head.content_type = value.to_vec(),
                b"content-transfer-encoding" => head.transfer_encoding = Some(value.to_vec()),
                _ => {}
            }
        }
        if head.name.is_empty() { Err(MultipartError::NamelessPart) } else { Ok(head) }
    }
}

/// The name and the value of the first header, with the lines that it is continued on, and what is behind it.
fn next_header(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&text[..colon], &text[colon + 1..]);
    let mut end = 0;
    loop {
        end += value[end..].iter().position(|byte| *byte == b'\r')?;
        let after = value[end..].strip_prefix(b"\r\n")?;
        if !after.starts_with(b" ") && !after.starts_with(b"\t") {
            return Some((name, &value[..end], after));
        }
        end += 2;
    }
}

fn malformed(text: &[u8], reading: Reading) -> MultipartError {
    match reading {
        Reading::Lenient if has_bare_line_feed(text) => MultipartError::BareLineFeeds,
        _ => MultipartError::MalformedHeaders,
    }
}

fn has_bare_line_feed(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || text[at - 1] != b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_any_case_folded_and_without_a_space() {
        let lines = b"content-disposition:form-data;\r\n name=\"photo\";\r\n\tfilename=a\r\nCONTENT-TYPE :  image/png \r\nContent-Length:12\r\nContent-Transfer-Encoding: base64\r\n";
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            let head = PartHead::read(lines, reading).unwrap();
            assert_eq!((head.name.as_slice(), head.filename.as_deref()), (&b"photo"[..], Some(&b"a"[..])));
            assert_eq!(head.content_type, b"image/png");
            assert_eq!(head.transfer_encoding.as_deref(), Some(&b"base64"[..]));
        }
    }

    #[test]
    fn what_are_no_headers_has_its_reason() {
        for (lines, telegram, lenient) in [
            (&b"nonsense\r\n"[..], MultipartError::MalformedHeaders, MultipartError::MalformedHeaders),
            (b"", MultipartError::NamelessPart, MultipartError::NamelessPart),
            (b"Content-Type: image/png\r\n", MultipartError::NamelessPart, MultipartError::NamelessPart),
            (
                b"Content-Disposition: form-data; name=\"\"\r\n",
                MultipartError::NamelessPart,
                MultipartError::NamelessPart,
            ),
            (
                b"Content-Type: a\nContent-Disposition: form-data; name=a\r\n",
                MultipartError::NamelessPart,
                MultipartError::BareLineFeeds,
            ),
            (b"X: a\rb\r\n", MultipartError::MalformedHeaders, MultipartError::MalformedHeaders),
        ] {
            assert_eq!(PartHead::read(lines, Reading::AsTelegram), Err(telegram));
            assert_eq!(PartHead::read(lines, Reading::Lenient), Err(lenient));
        }
    }
}
