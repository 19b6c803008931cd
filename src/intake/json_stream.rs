//! Takes the image out of a JSON body while it arrives, so that 14 MB of base64 are never in memory at once.
//!
//! The document passes through into a bounded buffer, except for the string at `photo.base64`: its characters go
//! through the base64 decoder and an empty string stands in its place. The scanner only follows strings and nesting;
//! whether the rest is JSON at all is for the real parser to say, which sees every other byte. What it follows is also
//! enough to refuse a field that is too large or nested too deep before anything is made of it.

use super::base64::Decoder;
use super::fields::{NESTING_LIMIT, STRUCTURE_LIMIT, check_name, too_deep, too_large};
use super::refusal::{Code, Refusal};

/// Everything but the image together, in bytes; four times the longest caption. Parsed, it may take twenty times as much.
pub const DOCUMENT_LIMIT: usize = 128 * 1024;

/// Longer keys are none that we look for, even with every character escaped.
const KEY_LIMIT: usize = 64;

/// The scanner.
#[derive(Default)]
pub struct Splitter {
    place: Place,
    document: Vec<u8>,
    decoder: Decoder,
    found: bool,
    depth: usize,
    /// Of the two outer levels: whether it is an object, and the key whose value is being read.
    levels: [Level; 2],
    /// Whether the next string is a key, as far as the two outer levels are concerned.
    expects_key: bool,
    /// Where in the document the object or array began that is the value of a field.
    structure: usize,
    /// The first key of `photo`, which can have one only.
    member: Option<String>,
    state: State,
}

/// Where the string is that is taken out.
#[derive(Clone, Copy, Default)]
enum Place {
    /// In `photo.base64`.
    #[default]
    Photo,
    /// In a field of this name, in a body that is not ours to define: what we do not know in it is left alone.
    Field(&'static str),
}

impl Place {
    /// Its name in a refusal.
    fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo.base64",
            Self::Field(name) => name,
        }
    }

    /// How many objects it is in.
    fn depth(self) -> usize {
        match self {
            Self::Photo => 2,
            Self::Field(_) => 1,
        }
    }
}

#[derive(Default)]
struct Level {
    is_object: bool,
    key: String,
}

#[derive(Default)]
enum State {
    #[default]
    Between,
    /// In a string that passes through; `key` collects it if it is a key of an outer level.
    Text { escaped: bool, key: Option<Vec<u8>> },
    /// In the image's string.
    Image(Escape),
}

#[derive(Clone, Copy)]
enum Escape {
    No,
    Started,
    Unicode { digits: u8, value: u32 },
}

impl Splitter {
    /// One that takes strict base64 out of a field of this name.
    pub fn of_field(name: &'static str) -> Self {
        Self { place: Place::Field(name), decoder: Decoder::strict(), ..Self::default() }
    }

    /// Takes a piece of the body and appends the bytes of the image that it completes.
    pub fn push(&mut self, mut piece: &[u8], image: &mut Vec<u8>) -> Result<(), Refusal> {
        while let Some((&byte, rest)) = piece.split_first() {
            if let State::Image(escape) = self.state {
                piece = self.image(escape, piece, image)?;
                continue;
            }
            piece = rest;
            if self.document.len() >= DOCUMENT_LIMIT {
                let advice = match self.place {
                    Place::Photo => "send the image in photo.base64 or as multipart".to_owned(),
                    Place::Field(name) => format!("the file belongs into {name}"),
                };
                return Err(Refusal::new(
                    Code::BodyTooLarge,
                    format!("Everything but the file together may have {DOCUMENT_LIMIT} bytes (128 KiB); {advice}."),
                ));
            }
            self.document.push(byte);
            if self.depth > 1 && self.document.len() - self.structure > STRUCTURE_LIMIT {
                self.refuse_field(too_large)?;
            }
            match &mut self.state {
                State::Between => self.between(byte)?,
                State::Text { escaped, key } => {
                    if byte == b'"' && !*escaped {
                        let key = key.take();
                        self.state = State::Between;
                        if let Some(key) = key {
                            self.take_key(unescaped(&key))?;
                        }
                        continue;
                    }
                    *escaped = byte == b'\\' && !*escaped;
                    if let Some(key) = key.as_mut().filter(|key| key.len() < KEY_LIMIT) {
                        key.push(byte);
                    }
                }
                State::Image(_) => {}
            }
        }
        Ok(())
    }

    /// The document with the image taken out, and whether there was an image.
    pub fn finish(self) -> Result<(Vec<u8>, bool), Refusal> {
        match self.state {
            State::Image(_) => {
                let detail = format!("The body ends inside {}.", self.place.name());
                Err(Refusal::new(Code::MalformedJson, detail))
            }
            _ => Ok((self.document, self.found)),
        }
    }

    /// Whether the image's string has begun.
    pub fn found(&self) -> bool {
        self.found
    }

    fn between(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth == 2 {
                    (self.structure, self.member) = (self.document.len() - 1, None);
                }
                if self.depth > NESTING_LIMIT + 1 {
                    self.refuse_field(too_deep)?;
                }
                if let Some(level) = self.levels.get_mut(self.depth - 1) {
                    *level = Level { is_object: byte == b'{', key: String::new() };
                    self.expects_key = byte == b'{';
                }
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => self.expects_key = true,
            b':' => self.expects_key = false,
            b'"' => {
                let in_object = self.depth > 0 && self.levels.get(self.depth - 1).is_some_and(|level| level.is_object);
                if self.depth == self.place.depth() && in_object && !self.expects_key && self.at_image() {
                    if self.found {
                        let name = self.place.name();
                        let detail = format!("{name} is given twice; send one file at a time.");
                        return Err(Refusal::field(Code::DuplicateField, name, detail));
                    }
                    self.found = true;
                    self.state = State::Image(Escape::No);
                } else {
                    let key = (in_object && self.expects_key).then(Vec::new);
                    self.state = State::Text { escaped: false, key };
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_key(&mut self, key: String) -> Result<(), Refusal> {
        let in_photo = self.depth == 2 && self.levels[0].is_object && self.levels[0].key == "photo";
        if matches!(self.place, Place::Photo) && in_photo {
            if self.member.as_ref() == Some(&key) {
                let field: String = format!("photo.{key}").chars().take(KEY_LIMIT).collect();
                let detail = format!("{field} is given twice; send one image per notification.");
                return Err(Refusal::field(Code::DuplicateField, field, detail));
            }
            self.member.get_or_insert_with(|| key.clone());
        }
        self.levels[self.depth - 1].key = key;
        Ok(())
    }

    /// Refuses the field that is being read, if the document has fields; one that is none is refused as that.
    fn refuse_field(&self, why: impl Fn(&str) -> Refusal) -> Result<(), Refusal> {
        let [outer, _] = &self.levels;
        if !outer.is_object {
            return Ok(());
        }
        if matches!(self.place, Place::Photo) {
            check_name(&outer.key)?;
        }
        Err(why(&outer.key))
    }

    fn at_image(&self) -> bool {
        let [outer, inner] = &self.levels;
        match self.place {
            Place::Photo => outer.is_object && outer.key == "photo" && inner.key == "base64",
            Place::Field(name) => outer.key == name,
        }
    }

    /// Reads on in the image's string; gives back what is left of the piece.
    fn image<'a>(&mut self, escape: Escape, piece: &'a [u8], image: &mut Vec<u8>) -> Result<&'a [u8], Refusal> {
        if let Escape::No = escape {
            let plain = piece.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(piece.len());
            self.decode(&piece[..plain], image)?;
            let Some((&byte, rest)) = piece[plain..].split_first() else { return Ok(&[]) };
            match byte {
                b'"' => {
                    self.decoder.finish(image).map_err(|_| self.not_base64())?;
                    self.document.push(b'"');
                    self.state = State::Between;
                }
                b'\\' => self.state = State::Image(Escape::Started),
                _ => {
                    let what = format!("a control character stands unescaped in {}", self.place.name());
                    return Err(malformed(&what));
                }
            }
            return Ok(rest);
        }
        let (byte, rest) = (piece[0], &piece[1..]);
        let next = match (escape, byte) {
            (Escape::Started, b'u') => Escape::Unicode { digits: 0, value: 0 },
            (Escape::Started, b'/') => self.escaped(b'/', image)?,
            (Escape::Started, b'n' | b'r' | b't') => self.escaped(b'\n', image)?,
            (Escape::Started, b'"' | b'\\' | b'b' | b'f') => return Err(self.not_base64()),
            (Escape::Unicode { digits, value }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or_else(|| malformed("a \\u escape is broken"))?;
                let value = value * 16 + digit;
                match digits {
                    3 => self.escaped(u8::try_from(value).map_err(|_| self.not_base64())?, image)?,
                    _ => Escape::Unicode { digits: digits + 1, value },
                }
            }
            _ => return Err(malformed("an escape is broken")),
        };
        self.state = State::Image(next);
        Ok(rest)
    }

    fn escaped(&mut self, byte: u8, image: &mut Vec<u8>) -> Result<Escape, Refusal> {
        self.decode(&[byte], image)?;
        Ok(Escape::No)
    }

    fn decode(&mut self, text: &[u8], image: &mut Vec<u8>) -> Result<(), Refusal> {
        self.decoder.push(text, image).map_err(|_| self.not_base64())
    }

    fn not_base64(&self) -> Refusal {
        let name = self.place.name();
        let padding = if matches!(self.place, Place::Photo) { "= at the end only" } else { "padded with =" };
        let detail = format!(
            "{name} is standard base64 (A-Z a-z 0-9 + /, {padding}) and nothing else: no data: prefix, not the URL-safe \
             alphabet."
        );
        Refusal::field(Code::InvalidBase64, name, detail)
    }
}

fn unescaped(key: &[u8]) -> String {
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_default()
}

fn malformed(what: &str) -> Refusal {
    Refusal::new(Code::MalformedJson, format!("The body is not valid JSON: {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &[u8], step: usize) -> Result<(String, Option<Vec<u8>>), Code> {
        let (mut splitter, mut image) = (Splitter::default(), Vec::new());
        for piece in body.chunks(step) {
            splitter.push(piece, &mut image).map_err(|r| r.code)?;
        }
        let (document, found) = splitter.finish().map_err(|r| r.code)?;
        Ok((String::from_utf8(document).unwrap(), found.then_some(image)))
    }

    /// Splits the body at every place and byte by byte, and wants one and the same result.
    fn everywhere(body: &str) -> Result<(String, Option<Vec<u8>>), Code> {
        let whole = split(body.as_bytes(), usize::MAX);
        for step in 1..=body.len() {
            assert_eq!(split(body.as_bytes(), step), whole, "in steps of {step}: {body}");
        }
        whole
    }

    #[test]
    fn the_image_is_taken_out_wherever_the_body_is_cut() {
        for body in [
            r#"{"chat_id":1,"photo":{"base64":"aGVsbG8="},"caption":"a \"photo\""}"#,
            r#"{ "photo" : { "base64" : "aGVs\nbG8=" } }"#,
            r#"{"photo":{"base64":"aGVsbG8"}}"#,
            r#"{"\u0070hoto":{"b\u0061se64":"\u0061GVsbG8="}}"#,
            r#"{"reply_markup":{"photo":{"base64":"x"}},"tags":["photo",{"base64":"y"}],"photo":{"base64":"aGVsbG8="}}"#,
        ] {
            let (document, image) = everywhere(body).unwrap();
            assert_eq!(image.as_deref(), Some(b"hello".as_slice()), "{body}");
            let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
            assert_eq!(parsed["photo"]["base64"], "");
        }
    }

    #[test]
    fn a_field_of_another_contract_is_taken_out_where_it_stands_and_the_rest_left_alone() {
        let of_field = |body: &str, step: usize| {
            let (mut splitter, mut file) = (Splitter::of_field("image"), Vec::new());
            for piece in body.as_bytes().chunks(step) {
                splitter.push(piece, &mut file).map_err(|r| r.code)?;
            }
            let (document, found) = splitter.finish().map_err(|r| r.code)?;
            Ok((String::from_utf8(document).unwrap(), found.then_some(file)))
        };
        for step in 1..20 {
            let body =
                r#"{"x":{"image":"a b","photo":{"base64":"?","base64":1}},"number":"1","image":"aGVsbG8=","y":[]}"#;
            let rest = body.replace("aGVsbG8=", "");
            assert_eq!(of_field(body, step), Ok((rest, Some(b"hello".to_vec()))));
            assert_eq!(of_field(r#"{"image":"aGVsbG8"}"#, step), Err(Code::InvalidBase64));
            assert_eq!(of_field(r#"{"image":"","image":""}"#, step), Err(Code::DuplicateField));
            assert_eq!(of_field(r#"["image","aGVsbG8="]"#, step).unwrap().1, None);
        }
    }

    #[test]
    fn escaped_slashes_and_pluses_are_base64_too() {
        let (_, image) = everywhere(r#"{"photo":{"base64":"\/\/\u002b\u002F"}}"#).unwrap();
        assert_eq!(image, Some(vec![0xff, 0xff, 0xbf]));
    }

    #[test]
    fn everything_else_passes_through_untouched() {
        for body in [
            r#"{"photo":"base64"}"#,
            r#"{"photo":["base64","aGVsbG8="]}"#,
            r#"{"caption":{"base64":"aGVsbG8="},"photo":{"sha256":"base64"}}"#,
            r#"[{"photo":{"base64":"aGVsbG8="}}]"#,
            r#"{"photo":{"x":{"base64":"aGVsbG8="}}}"#,
            r#"{"a":{"photo":1},"base64":"aGVsbG8="}"#,
            r#"{"photo":{"base64":17}}"#,
            r#"}}]]{"":"\\","\"":""}"#,
            "",
            "no json at all \u{1F408}",
        ] {
            assert_eq!(everywhere(body), Ok((body.to_owned(), None)), "{body}");
        }
    }

    #[test]
    fn what_is_broken_in_the_image_is_refused_with_the_right_code() {
        for (body, code) in [
            (r#"{"photo":{"base64":"aGV*"}}"#, Code::InvalidBase64),
            (r#"{"photo":{"base64":"data:image/png;base64,aGVs"}}"#, Code::InvalidBase64),
            (r#"{"photo":{"base64":"aGVsb"}}"#, Code::InvalidBase64),
            (r#"{"photo":{"base64":"\u1234"}}"#, Code::InvalidBase64),
            (r#"{"photo":{"base64":"\"#, Code::MalformedJson),
            (r#"{"photo":{"base64":"aG\x41"}}"#, Code::MalformedJson),
            (r#"{"photo":{"base64":"\u00g0"}}"#, Code::MalformedJson),
            ("{\"photo\":{\"base64\":\"aGVs\nbG8=\"}}", Code::MalformedJson),
            (r#"{"photo":{"base64":"aGVsbG8="#, Code::MalformedJson),
            (r#"{"photo":{"base64":"aGVs","base64":"bG8="}}"#, Code::DuplicateField),
            (r#"{"photo":{"base64":"aGVs"},"photo":{"base64":"bG8="}}"#, Code::DuplicateField),
            (r#"{"photo":{"sha256":"aGVs","sha256":"bG8="}}"#, Code::DuplicateField),
        ] {
            assert_eq!(everywhere(body), Err(code), "{body}");
        }
    }

    #[test]
    fn a_field_that_is_too_large_or_nested_too_deep_is_refused_by_name() {
        let refused = |name: &str, value: String| {
            let body = format!("{{\"chat_id\":1,\"{name}\":{value}}}");
            Splitter::default().push(body.as_bytes(), &mut Vec::new()).err().map(|r| (r.code, r.field.unwrap()))
        };
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(refused("reply_markup", nested(NESTING_LIMIT)), None);
        let by_name = Some((Code::InvalidField, "reply_markup".to_owned()));
        assert_eq!(refused("reply_markup", nested(NESTING_LIMIT + 1)), by_name);
        assert_eq!(refused("no_field", nested(100)), Some((Code::UnknownField, "no_field".to_owned())));
        let empties = |count: usize| format!("[{}]", ["[]"; 1].repeat(count).join(","));
        assert_eq!(refused("reply_markup", empties(STRUCTURE_LIMIT / 3)), None);
        assert_eq!(refused("reply_markup", empties(STRUCTURE_LIMIT / 3 + 1)), by_name);
        assert_eq!(refused("caption", format!("\"{}\"", "x".repeat(STRUCTURE_LIMIT + 1))), None, "not a structure");
    }

    #[test]
    fn the_document_is_bounded_and_the_image_is_not() {
        let caption = format!(r#"{{"caption":"{}"}}"#, "x".repeat(DOCUMENT_LIMIT));
        assert_eq!(split(caption.as_bytes(), 4096), Err(Code::BodyTooLarge));
        let image = format!(r#"{{"photo":{{"base64":"{}"}}}}"#, "AAAA".repeat(DOCUMENT_LIMIT));
        let (document, bytes) = split(image.as_bytes(), 4096).unwrap();
        assert_eq!(
            (document.as_str(), bytes.map(|b| b.len())),
            (r#"{"photo":{"base64":""}}"#, Some(3 * DOCUMENT_LIMIT))
        );
    }
}
