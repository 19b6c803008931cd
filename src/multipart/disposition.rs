//! The attributes of a `Content-Disposition`: the name of a part, and the name of its file.

use super::error::MultipartError;
use super::reading::Reading;
use percent_encoding::percent_decode;

/// What a part is, by its `Content-Disposition`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// The name of its field; empty if there is none.
    pub name: Vec<u8>,
    /// The name of its file, if one is given, be it empty.
    pub filename: Option<Vec<u8>>,
}

impl Disposition {
    /// Reads the header's value.
    ///
    /// # Errors
    /// What Telegram refuses; a lenient reading understands something of everything.
    pub fn read(value: &[u8], reading: Reading) -> Result<Self, MultipartError> {
        match reading {
            Reading::AsTelegram => as_telegram(value),
            Reading::Lenient => Ok(lenient(value)),
        }
    }
}

/// The words before the first semicolon and the names of the attributes must be spelled exactly so; a backslash is dropped
/// wherever it is, and everything is percent-decoded.
fn as_telegram(value: &[u8]) -> Result<Disposition, MultipartError> {
    let mut rest = value.strip_prefix(b"form-data;").ok_or(MultipartError::MalformedHeaders)?;
    let mut disposition = Disposition::default();
    while let Some((key, after)) = split(rest, b'=') {
        let after = trim_start(after);
        let (text, next) = match after.strip_prefix(b"\"") {
            Some(quoted) => {
                let (text, after) = unquote(quoted, |_| true).ok_or(MultipartError::MalformedHeaders)?;
                match trim_start(after) {
                    [] => (text, &[][..]),
                    [b';', next @ ..] => (text, next),
                    _ => return Err(MultipartError::MalformedHeaders),
                }
            }
            None => {
                let (text, next) = split(after, b';').unwrap_or((after, &[]));
                (trim(text).to_vec(), next)
            }
        };
        let text = percent_decode(&text).collect();
        match trim(key) {
            b"name" => disposition.name = text,
            b"filename" => disposition.filename = Some(text),
            _ => {}
        }
        rest = next;
    }
    Ok(disposition)
}

/// An attribute without a value is passed over, and so is what stands where only a semicolon may. A backslash is one,
/// unless a quote or another follows: file names are Windows paths more often than they are escaped. Extended values
/// (`filename*=utf-8''...`) win.
fn lenient(value: &[u8]) -> Disposition {
    let mut rest = split(value, b';').map_or(&[][..], |(_, rest)| rest);
    let (mut disposition, mut extended) = (Disposition::default(), Disposition::default());
    while let Some(at) = rest.iter().position(|byte| b"=;".contains(byte)) {
        let (key, after) = (trim(&rest[..at]).to_ascii_lowercase(), trim_start(&rest[at + 1..]));
        if rest[at] == b';' {
            rest = &rest[at + 1..];
            continue;
        }
        let (text, after) = match after.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted, |next| b"\"\\".contains(&next))
                .or_else(|| unquote_plainly(quoted))
                .unwrap_or((quoted.to_vec(), &[])),
            None => {
                let end = after.iter().position(|byte| *byte == b';').unwrap_or(after.len());
                (trim(&after[..end]).to_vec(), &after[end..])
            }
        };
        rest = split(after, b';').map_or(&[][..], |(_, rest)| rest);
        match key.as_slice() {
            b"name" => disposition.name = decoded(text),
            b"filename" => disposition.filename = Some(decoded(text)),
            b"name*" => extended.name = extended_value(&text).unwrap_or_default(),
            b"filename*" => extended.filename = Some(extended_value(&text).unwrap_or_default()),
            _ => {}
        }
    }
    if !extended.name.is_empty() {
        disposition.name = extended.name;
    }
    if extended.filename.as_ref().is_some_and(|name| !name.is_empty() || disposition.filename.is_none()) {
        disposition.filename = extended.filename;
    }
    disposition
}

/// The text up to a closing quote, and what is behind that. A backslash is dropped if it escapes what follows.
fn unquote(text: &[u8], escapes: impl Fn(u8) -> bool) -> Option<(Vec<u8>, &[u8])> {
    let (mut found, mut at) = (Vec::new(), 0);
    loop {
        match *text.get(at)? {
            b'"' => return Some((found, &text[at + 1..])),
            b'\\' if escapes(*text.get(at + 1)?) => at += 1,
            _ => {}
        }
        found.push(text[at]);
        at += 1;
    }
}

/// The same where the last backslash is none that escapes: `"C:\temp\"`.
fn unquote_plainly(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'"')?;
    Some((text[..end].to_vec(), &text[end + 1..]))
}

/// Percent-decoded as RFC 7578 (section 4.2) allows it, unless that makes nonsense of what was text before.
fn decoded(text: Vec<u8>) -> Vec<u8> {
    let decoded: Vec<u8> = percent_decode(&text).collect();
    if std::str::from_utf8(&decoded).is_err() && std::str::from_utf8(&text).is_ok() { text } else { decoded }
}

/// `utf-8'en'%e2%82%ac` (RFC 8187); nothing in another character set.
fn extended_value(text: &[u8]) -> Option<Vec<u8>> {
    let (charset, rest) = split(text, b'\'')?;
    let (_, encoded) = split(rest, b'\'')?;
    let bytes = percent_decode(encoded);
    match charset.to_ascii_lowercase().as_slice() {
        b"utf-8" | b"utf8" | b"us-ascii" => Some(bytes.collect()),
        b"iso-8859-1" => Some(bytes.map(char::from).collect::<String>().into_bytes()),
        _ => None,
    }
}

/// What is before and behind a byte, if it is there.
fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == at)?;
    Some((&text[..position], &text[position + 1..]))
}

/// White space as the Bot API server has it.
fn is_space(byte: u8) -> bool {
    b" \t\r\n\0\x0b".contains(&byte)
}

fn trim_start(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len())..]
}

/// A text without white space at its ends.
pub fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    &text[..text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8], reading: Reading) -> (String, Option<String>) {
        let found = Disposition::read(value, reading).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(found.name), found.filename.map(text))
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (value, name, filename) in [
            ("form-data; name=\"photo\"; filename=\"a.png\"", "photo", Some("a.png")),
            ("form-data;name=photo;filename=a.png", "photo", Some("a.png")),
            ("form-data; name = \"photo\" ; filename=\"\"", "photo", Some("")),
            ("form-data; name=\"my plot #1.png\"; filename=x", "my plot #1.png", Some("x")),
            (
                "form-data; name=\"\u{433}\u{440}\u{430}\u{444}\u{438}\u{43a}\"",
                "\u{433}\u{440}\u{430}\u{444}\u{438}\u{43a}",
                None,
            ),
            ("form-data; name=\"a;b=c\"; filename=\"x;y\"", "a;b=c", Some("x;y")),
            ("form-data; name=\"a\\\"b\"; filename=\"c%22d%0D\"", "a\"b", Some("c\"d\r")),
            ("form-data; name=\"100%\"; filename=\"50%.png\"", "100%", Some("50%.png")),
            ("form-data; name=\"photo\";\r\n\tfilename=\"a.png\"", "photo", Some("a.png")),
            ("form-data; filename=\"%D0%B4.pdf\"; name=photo;", "photo", Some("\u{434}.pdf")),
        ] {
            for reading in [Reading::AsTelegram, Reading::Lenient] {
                let expected = (name.to_owned(), filename.map(str::to_owned));
                assert_eq!(read(value.as_bytes(), reading), expected, "{value} {reading:?}");
            }
        }
    }

    #[test]
    fn a_lenient_reading_keeps_what_telegram_drops() {
        for (value, telegram, lenient) in [
            ("form-data; name=a; filename=\"C:\\temp\\new.pdf\"", Some("C:tempnew.pdf"), Some("C:\\temp\\new.pdf")),
            ("form-data; name=a; filename*=UTF-8''%e2%82%ac.png", None, Some("\u{20ac}.png")),
            ("form-data; name=a; filename=x; filename*=iso-8859-1'de'%fc", Some("x"), Some("\u{fc}")),
            ("form-data; name=a; filename=x; filename*=koi8-r''%c1", Some("x"), Some("x")),
            ("form-data; name=a; FileName=x", None, Some("x")),
            ("form-data; name=a; filename", None, None),
        ] {
            let expected = |name: Option<&str>| ("a".to_owned(), name.map(str::to_owned));
            assert_eq!(read(value.as_bytes(), Reading::AsTelegram), expected(telegram), "{value}");
            assert_eq!(read(value.as_bytes(), Reading::Lenient), expected(lenient), "{value}");
        }
    }

    #[test]
    fn what_telegram_refuses_is_refused_or_understood() {
        for (value, filename) in [
            ("Form-Data; name=a; filename=x", Some("x")),
            ("attachment; name=a; filename=x", Some("x")),
            ("form-data ; name=a", None),
            ("form-data; name=\"a\" x; filename=y", Some("y")),
            ("form-data; name=a; filename=\"x", Some("x")),
            ("form-data; name=a; filename=\"C:\\temp\\\"", Some("C:\\temp\\")),
        ] {
            let telegram = Disposition::read(value.as_bytes(), Reading::AsTelegram);
            assert_eq!(telegram, Err(MultipartError::MalformedHeaders), "{value}");
            assert_eq!(
                read(value.as_bytes(), Reading::Lenient),
                ("a".to_owned(), filename.map(str::to_owned)),
                "{value}"
            );
        }
        // An attribute without a value takes the next one with it.
        let broken = read(b"form-data; filename; name=a", Reading::AsTelegram);
        assert_eq!(broken, (String::new(), None));
        assert_eq!(read(b"form-data; filename; name=a", Reading::Lenient).0, "a");
        for nothing in ["form-data", "", ";;;", "form-data; ="] {
            assert_eq!(read(nothing.as_bytes(), Reading::Lenient), (String::new(), None), "{nothing}");
        }
    }

    #[test]
    fn bytes_of_another_character_set_are_handed_on_as_they_are() {
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            let found = Disposition::read(b"form-data; name=a; filename=\"\xf4\xe0\xe9\xeb.pdf\"", reading).unwrap();
            assert_eq!(found.filename.as_deref(), Some(&b"\xf4\xe0\xe9\xeb.pdf"[..]));
        }
        let percent = Disposition::read(b"form-data; name=a; filename=\"50%E9.png\"", Reading::Lenient).unwrap();
        assert_eq!(percent.filename.as_deref(), Some(&b"50%E9.png"[..]));
    }
}
