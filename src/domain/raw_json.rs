//! JSON as the Bot API server reads it (Telegram's server source), which is more than JSON allows: any byte may stand in a
//! string, an escape that JSON does not have is the character itself, two surrogates in a row make a pair whichever they are.
//! Nothing is built: a value is the slice of text that it is written as.

use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// How many levels of values there may be (Bot API server).
const MAX_DEPTH: usize = 101;
/// How deep a [`tree`] may be nested, the answers to an inline query with their buttons being the deepest.
const MAX_TREE_DEPTH: usize = 12;

/// A value, as the text that it is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawValue<'a>(&'a [u8]);

impl<'a> RawValue<'a> {
    /// What the Bot API server takes it for: what a string says, and of any other value the text itself, `null` included.
    /// It need not be UTF-8, since half a surrogate pair is not.
    pub fn text(self) -> Cow<'a, [u8]> {
        match self.0.first() {
            Some(b'"') => {
                let mut said = Vec::with_capacity(self.0.len());
                let _ = Reader::new(self.0).string(Some(&mut said));
                Cow::Owned(said)
            }
            _ => Cow::Borrowed(self.0),
        }
    }
}

/// The members of the object that a text begins with, up to where it is broken.
pub fn members(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, RawValue<'_>)> {
    let mut reader = Reader::new(text);
    reader.skip_space();
    let mut goes_on = reader.skip(b'{');
    std::iter::from_fn(move || {
        if !goes_on {
            return None;
        }
        reader.skip_space();
        let mut name = Vec::new();
        reader.string(Some(&mut name))?;
        reader.skip_space();
        if !reader.skip(b':') {
            return None;
        }
        let value = reader.value(MAX_DEPTH)?;
        reader.skip_space();
        goes_on = reader.skip(b',');
        Some((name, value))
    })
    .fuse()
}

/// The items of the array that a text begins with, up to where it is broken.
pub fn items(text: &[u8]) -> impl Iterator<Item = RawValue<'_>> {
    let mut reader = Reader::new(text);
    reader.skip_space();
    let mut goes_on = reader.skip(b'[');
    std::iter::from_fn(move || {
        if !goes_on {
            return None;
        }
        let item = reader.value(MAX_DEPTH)?;
        reader.skip_space();
        goes_on = reader.skip(b',');
        Some(item)
    })
    .fuse()
}

/// A text as a tree of at most `max_values` values, the first member of a name. `None` if it has more, if it is broken, or if
/// something in it would not be written as it was read, such as half a surrogate pair.
pub fn tree(text: &[u8], max_values: usize) -> Option<Value> {
    let mut reader = Reader::new(text);
    let whole = reader.value(MAX_DEPTH)?;
    reader.skip_space();
    let mut left = max_values;
    reader.rest.is_empty().then(|| branch(whole, MAX_TREE_DEPTH, &mut left)).flatten()
}

fn branch(value: RawValue<'_>, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    let depth = depth.checked_sub(1)?;
    Some(match value.0.first()? {
        b'"' => Value::String(String::from_utf8(value.text().into_owned()).ok()?),
        b'{' => {
            let mut object = Map::new();
            for (name, member) in members(value.0) {
                let member = branch(member, depth, left)?;
                object.entry(String::from_utf8(name).ok()?).or_insert(member);
            }
            Value::Object(object)
        }
        b'[' => Value::Array(items(value.0).map(|item| branch(item, depth, left)).collect::<Option<_>>()?),
        b't' => Value::Bool(true),
        b'f' => Value::Bool(false),
        b'n' => Value::Null,
        _ => {
            let number = std::str::from_utf8(value.0).ok()?;
            let read: Number = serde_json::from_str(number).ok()?;
            (read.to_string() == number).then_some(Value::Number(read))?
        }
    })
}

/// Goes through a text.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_while(&mut self, belongs: impl Fn(u8) -> bool) {
        let end = self.rest.iter().position(|byte| !belongs(*byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn skip_space(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0x0b));
    }

    /// Splits off the value that comes next; `None` if it is broken.
    fn value(&mut self, depth: usize) -> Option<RawValue<'a>> {
        let depth = depth.checked_sub(1)?;
        self.skip_space();
        let begin = self.rest;
        match begin.first()? {
            b'"' => self.string(None)?,
            b'{' => self.sequence(b'}', depth, true)?,
            b'[' => self.sequence(b']', depth, false)?,
            b'-' | b'+' | b'.' | b'0'..=b'9' => {
                self.skip_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
            }
            _ => {
                let word = ["true", "false", "null"].into_iter().find(|word| begin.starts_with(word.as_bytes()))?;
                self.rest = &begin[word.len()..];
            }
        }
        Some(RawValue(&begin[..begin.len() - self.rest.len()]))
    }

    /// An object or an array.
    fn sequence(&mut self, end: u8, depth: usize, is_object: bool) -> Option<()> {
        self.next();
        self.skip_space();
        while !self.skip(end) {
            if is_object {
                self.string(None)?;
                self.skip_space();
                self.skip(b':').then_some(())?;
            }
            self.value(depth)?;
            self.skip_space();
            match self.next()? {
                b',' => self.skip_space(),
                last if last == end => return Some(()),
                _ => return None,
            }
            // A comma promises another one.
            (self.rest.first() != Some(&end)).then_some(())?;
        }
        Some(())
    }

    /// A string; adds what it says to `said`.
    fn string(&mut self, mut said: Option<&mut Vec<u8>>) -> Option<()> {
        self.skip(b'"').then_some(())?;
        loop {
            let plain = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if let Some(said) = &mut said {
                said.extend_from_slice(&self.rest[..plain]);
            }
            self.rest = &self.rest[plain..];
            if self.next()? == b'"' {
                return Some(());
            }
            let code = match self.next()? {
                b'b' => 8,
                b'f' => 12,
                b'n' => 10,
                b'r' => 13,
                b't' => 9,
                b'u' => self.code()?,
                other => {
                    if let Some(said) = &mut said {
                        said.push(other);
                    }
                    continue;
                }
            };
            if let Some(said) = &mut said {
                push_code(said, code);
            }
        }
    }

    /// What follows `\u`, and the other half of a surrogate pair.
    fn code(&mut self) -> Option<u32> {
        let is_surrogate = |code: u32| (0xd800..0xe000).contains(&code);
        let first = self.four_digits()?;
        if !is_surrogate(first) || !self.rest.starts_with(b"\\u") || self.rest.iter().take(6).any(|byte| *byte == b'"')
        {
            return Some(first);
        }
        let behind_first = self.rest;
        self.rest = &self.rest[2..];
        let second = self.four_digits()?;
        if is_surrogate(second) {
            return Some((((first & 0x3ff) << 10) | (second & 0x3ff)) + 0x1_0000);
        }
        self.rest = behind_first;
        Some(first)
    }

    fn four_digits(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |code, _| Some(code * 16 + char::from(self.next()?).to_digit(16)?))
    }
}

/// Writes a code point as UTF-8 is written, also half a surrogate pair, which no UTF-8 text holds.
fn push_code(text: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            text.extend([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)].map(|byte| byte as u8))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The members as `name=text`.
    fn read(text: impl AsRef<[u8]>) -> Vec<String> {
        let pair = |(name, value): (Vec<u8>, RawValue<'_>)| {
            format!("{}={}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&value.text()))
        };
        members(text.as_ref()).map(pair).collect()
    }

    #[test]
    fn members_become_texts_and_what_comes_before_an_error_is_kept() {
        assert_eq!(
            read(r#" {"chat_id": 12, "caption":"a\n\"b\"", "reply_markup" : {"x":[1, 2]} , "n":null, "t":true}"#),
            ["chat_id=12", "caption=a\n\"b\"", "reply_markup={\"x\":[1, 2]}", "n=null", "t=true"]
        );
        for (text, kept) in [
            (r#"{"a":1,"b":"cut"#, "a=1"),
            (r#"{"a":1 "b":"x"}"#, "a=1"),
            (r#"{"a":1,}"#, "a=1"),
            (r#"{"a":1,"b":NaN,"c":2}"#, "a=1"),
            (r#"{"a":1,'b':2}"#, "a=1"),
            (r#"{"a":1,"b":[1,],"c":2}"#, "a=1"),
            (r#"{"a":1,"b":"\u12","c":2}"#, "a=1"),
            (r#"{"a":1,"b":"\ud83d\u12","c":2}"#, "a=1"),
            (r#"{"a":+1e3.5-,"#, "a=+1e3.5-"),
            ("\0\x0b{\"a\":1}\u{feff}", "a=1"),
        ] {
            assert_eq!(read(text), [kept], "{text}");
        }
        for nothing in ["", "[1]", "{", "{}", "{1:2}", "nonsense", "\u{feff}{\"a\":1}"] {
            assert_eq!(read(nothing), [""; 0], "{nothing}");
        }
    }

    #[test]
    fn any_byte_and_any_escape_may_stand_in_a_string() {
        for (text, said) in [
            ("a\nb\tc\x01\r", "a\nb\tc\x01\r".to_owned()),
            (r"v1\.2 \- \x \'", "v1.2 - x '".to_owned()),
            (r"\\\/\b\f\n\r\t\u00e9\u0000", "\\/\x08\x0c\n\r\té\0".to_owned()),
            (r"\ud83c\udf89\ude00", "🎉".to_owned() + "\u{fffd}\u{fffd}\u{fffd}"),
            (r"\udf89\ud83c", "\u{f243c}".to_owned()),
            (r"\ud83d\u0041", "\u{fffd}\u{fffd}\u{fffd}A".to_owned()),
        ] {
            let document = format!("{{\"a\":\"{text}\",\"b\":1}}");
            assert_eq!(read(&document), [format!("a={said}"), "b=1".to_owned()], "{text}");
        }
        let (_, lone) = members(br#"{"a":"\ud83d"}"#).next().unwrap();
        assert_eq!(*lone.text(), [0xed, 0xa0, 0xbd]);
        assert_eq!(read(b"{\"a\":\"\xff\"}"), ["a=\u{fffd}"]);
    }

    #[test]
    fn values_may_be_nested_a_hundred_and_one_deep() {
        let nested = |depth: usize| format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read(nested(101)).len(), 2);
        assert_eq!(read(nested(102)).len(), 0);
        assert_eq!(read(nested(100_000)).len(), 0);
    }

    #[test]
    fn items_are_counted_without_being_built() {
        assert_eq!(items(b" [1, \"a,]\", [2,3], {}]").count(), 4);
        assert_eq!(items(b"[1,2").count(), 2);
        assert_eq!(items(b"7").count() + items(b"[]").count() + items(b"").count(), 0);
        assert_eq!(items("[1,".repeat(100_000).as_bytes()).count(), 1);
    }

    #[test]
    fn a_tree_says_what_the_text_says_or_there_is_none() {
        let album = "[{\"type\":\"photo\",\"caption\":\"two\nlines\\.\",\"type\":\"video\",\"width\":7,\"x\":[null,true,false]}]";
        let wanted = json!([{"type": "photo", "caption": "two\nlines.", "width": 7, "x": [null, true, false]}]);
        assert_eq!(tree(album.as_bytes(), 10), Some(wanted));
        assert_eq!(tree(album.as_bytes(), 9), None);
        for none in [
            r#"["\ud83d"]"#,
            "[1.50]",
            "[+1]",
            "[1] 2",
            "[",
            "",
            "[[[[[[[[[[[[1]]]]]]]]]]]]",
            "[123456789012345678901234]",
        ] {
            assert_eq!(tree(none.as_bytes(), 100), None, "{none}");
        }
        assert_eq!(tree(b" 7 ", 1), Some(json!(7)));
    }
}
