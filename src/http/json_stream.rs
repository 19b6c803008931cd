//! Streaming extraction of files from a JSON body, so that 66 MB of base64 are never in memory at once.
//!
//! The document passes through into a bounded buffer, except for the strings at `photo.base64`, `album[2].media.base64`
//! and the like: their characters go through the base64 decoder and an empty string stands in their place. The scanner only
//! follows strings and nesting; whether the rest is valid JSON is for serde_json to say, which gets every other byte. That
//! is also enough to reject a field that is too large or nested too deep before it is parsed.

use super::base64::Base64Decoder;
use crate::intake::json_limits::{MAX_NESTING_LEVELS, STRUCTURE_LIMIT_BYTES, too_deep, too_large};
use crate::intake::rejection::{ProblemCode, Rejection};

/// How large a document may be without its files, in bytes: four times the longest caption. Parsed, it may take twenty
/// times as much memory.
pub const DOCUMENT_LIMIT_BYTES: usize = 128 * 1024;

/// How much of a key is compared, in bytes: no field has a longer name, even with every character escaped.
const KEY_LIMIT_BYTES: usize = 64;
/// How deep a file can stand: document, album, item, the file's object.
const MAX_FILE_DEPTH: usize = 4;

/// What the extractor has found.
#[derive(Debug, PartialEq, Eq)]
pub enum ExtractedPart {
    /// A file begins; where it stands in the document, as in `album[2].media`.
    Begin(String),
    /// Some bytes of it.
    Bytes(Vec<u8>),
    /// It ends.
    End,
}

/// Where a body may hold files; each face defines its own.
pub enum FileFields {
    /// In the string of one field. What else is in the body is left alone.
    Only(&'static str),
    /// In the member `base64` of fields that are objects, and of those in the items of `album`.
    Objects {
        /// Whether a field of this name may hold a file.
        is_file: fn(&str) -> bool,
        /// Rejects a name that no field has.
        check_name: fn(&str) -> Result<(), Rejection>,
        /// How many bytes of JSON the field of this name may have, without the files in it.
        limit: fn(&str) -> usize,
    },
}

/// Scans a document and takes the files out of it.
pub struct JsonFileExtractor {
    fields: FileFields,
    document: Vec<u8>,
    decoder: Base64Decoder,
    /// Where the files stand that were found so far; the last may still be arriving.
    places: Vec<String>,
    depth: usize,
    /// The outer levels, as far down as a file can stand.
    levels: [JsonContainer; MAX_FILE_DEPTH],
    /// Whether the next string is a key, as far as the outer levels are concerned.
    expects_key: bool,
    /// Where in the document the object or array began that is the value of a field.
    structure: usize,
    state: ScanState,
}

#[derive(Default)]
struct JsonContainer {
    is_object: bool,
    /// The key whose value is being read.
    key: String,
    /// The number of the item that is being read.
    item: usize,
    /// The keys of an object that may hold a file.
    seen: Vec<String>,
}

#[derive(Default)]
enum ScanState {
    #[default]
    Between,
    /// In a string that passes through; `key` collects it if it is a key of an outer level.
    Text { escaped: bool, key: Option<Vec<u8>> },
    /// In a file's string.
    File(EscapeState),
}

#[derive(Clone, Copy)]
enum EscapeState {
    No,
    Started,
    Unicode { digits: u8, value: u32 },
}

impl JsonFileExtractor {
    /// Looks for files in these fields. [`FileFields::Only`] takes strict base64 only.
    pub fn new(fields: FileFields) -> Self {
        let decoder =
            if matches!(fields, FileFields::Only(_)) { Base64Decoder::strict() } else { Base64Decoder::default() };
        Self {
            fields,
            document: Vec::new(),
            decoder,
            places: Vec::new(),
            depth: 0,
            levels: Default::default(),
            expects_key: false,
            structure: 0,
            state: ScanState::default(),
        }
    }

    /// Takes a piece of the body and appends to `parts` what it completes.
    pub fn push(&mut self, mut piece: &[u8], parts: &mut Vec<ExtractedPart>) -> Result<(), Rejection> {
        while let Some((&byte, rest)) = piece.split_first() {
            if let ScanState::File(escape) = self.state {
                piece = self.read_file(escape, piece, parts)?;
                continue;
            }
            piece = rest;
            if self.document.len() >= DOCUMENT_LIMIT_BYTES {
                return Err(Rejection::new(
                    ProblemCode::BodyTooLarge,
                    format!(
                        "Everything but the files together may have {DOCUMENT_LIMIT_BYTES} bytes (128 KiB); send files as \
                         {{\"base64\": …}} or as multipart."
                    ),
                ));
            }
            self.document.push(byte);
            let limit = self.structure_limit();
            if self.depth > 1 && self.document.len() - self.structure > limit {
                self.reject_field(|name| too_large(name, limit))?;
            }
            match &mut self.state {
                ScanState::Between => self.between(byte, parts)?,
                ScanState::Text { escaped, key } => {
                    if byte == b'"' && !*escaped {
                        let key = key.take();
                        self.state = ScanState::Between;
                        if let Some(key) = key {
                            self.take_key(unescaped(&key))?;
                        }
                        continue;
                    }
                    *escaped = byte == b'\\' && !*escaped;
                    if let Some(key) = key.as_mut().filter(|key| key.len() < KEY_LIMIT_BYTES) {
                        key.push(byte);
                    }
                }
                ScanState::File(_) => {}
            }
        }
        Ok(())
    }

    /// The document with the files taken out.
    pub fn finish(self) -> Result<Vec<u8>, Rejection> {
        match self.state {
            ScanState::File(_) => {
                Err(Rejection::new(ProblemCode::MalformedJson, format!("The body ends inside {}.", self.field())))
            }
            _ => Ok(self.document),
        }
    }

    fn between(&mut self, byte: u8, parts: &mut Vec<ExtractedPart>) -> Result<(), Rejection> {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth == 2 {
                    self.structure = self.document.len() - 1;
                }
                if self.depth > MAX_NESTING_LEVELS + 1 {
                    self.reject_field(too_deep)?;
                }
                if let Some(level) = self.levels.get_mut(self.depth - 1) {
                    *level = JsonContainer { is_object: byte == b'{', ..JsonContainer::default() };
                    self.expects_key = byte == b'{';
                }
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => {
                self.expects_key = true;
                if let Some(level) = self.level() {
                    level.item += 1;
                }
            }
            b':' => self.expects_key = false,
            b'"' => {
                let in_object = self.level().is_some_and(|level| level.is_object);
                match self.file_place().filter(|_| in_object && !self.expects_key) {
                    Some(place) if self.places.contains(&place) => {
                        let field = self.member(&place);
                        let detail = format!("{field} is given twice; send one file in one field.");
                        return Err(Rejection::field(ProblemCode::DuplicateField, field, detail));
                    }
                    Some(place) => {
                        parts.push(ExtractedPart::Begin(place.clone()));
                        self.places.push(place);
                        self.state = ScanState::File(EscapeState::No);
                    }
                    None => {
                        let key = (in_object && self.expects_key).then(Vec::new);
                        self.state = ScanState::Text { escaped: false, key };
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The innermost level, unless it is deeper than any file can stand.
    fn level(&mut self) -> Option<&mut JsonContainer> {
        self.levels.get_mut(self.depth.checked_sub(1)?)
    }

    fn take_key(&mut self, key: String) -> Result<(), Rejection> {
        let holder = self.holder();
        let level = &mut self.levels[self.depth - 1];
        if let Some(holder) = holder {
            // A parser would keep the last of them, and nobody would know.
            if level.seen.contains(&key) {
                let field: String = format!("{holder}.{key}").chars().take(KEY_LIMIT_BYTES).collect();
                let detail = format!("{field} is given twice; send one file in one field.");
                return Err(Rejection::field(ProblemCode::DuplicateField, field, detail));
            }
            if level.seen.len() < MAX_FILE_DEPTH {
                level.seen.push(key.clone());
            }
        }
        level.key = key;
        Ok(())
    }

    /// Rejects the field that is being read, if the document has fields; as unknown, if there is no such field.
    fn reject_field(&self, why: impl Fn(&str) -> Rejection) -> Result<(), Rejection> {
        let [outer, ..] = &self.levels;
        if !outer.is_object {
            return Ok(());
        }
        if let FileFields::Objects { check_name, .. } = self.fields {
            check_name(&outer.key)?;
        }
        Err(why(&outer.key))
    }

    /// The name of the field that the innermost object is the value of, if it may hold a file.
    fn holder(&self) -> Option<String> {
        let FileFields::Objects { is_file, .. } = self.fields else { return None };
        let [outer, second, third, fourth] = &self.levels;
        match self.depth {
            2 if outer.is_object && second.is_object && is_file(&outer.key) => Some(outer.key.clone()),
            4 if outer.is_object
                && outer.key == "album"
                && !second.is_object
                && third.is_object
                && fourth.is_object =>
            {
                let holds = third.key == "media" || is_file(&third.key);
                holds.then(|| format!("album[{}].{}", second.item, third.key))
            }
            _ => None,
        }
    }

    /// The place of the file whose string comes next, if one does.
    fn file_place(&self) -> Option<String> {
        let level = self.levels.get(self.depth.checked_sub(1)?)?;
        if let FileFields::Only(name) = self.fields {
            return (self.depth == 1 && level.key == name).then(|| name.to_owned());
        }
        if level.key == "base64" { self.holder() } else { None }
    }

    /// Reads on in a file's string; returns what is left of the piece behind it.
    fn read_file<'a>(
        &mut self,
        escape: EscapeState,
        piece: &'a [u8],
        parts: &mut Vec<ExtractedPart>,
    ) -> Result<&'a [u8], Rejection> {
        if let EscapeState::No = escape {
            let plain = piece.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(piece.len());
            self.decode(&piece[..plain], parts)?;
            let Some((&byte, rest)) = piece[plain..].split_first() else { return Ok(&[]) };
            match byte {
                b'"' => {
                    let mut decoder = std::mem::take(&mut self.decoder);
                    decoder.finish(byte_buffer(parts)).map_err(|_| self.not_base64())?;
                    parts.push(ExtractedPart::End);
                    self.document.push(b'"');
                    self.state = ScanState::Between;
                }
                b'\\' => self.state = ScanState::File(EscapeState::Started),
                _ => return Err(malformed("a control character stands unescaped in base64")),
            }
            return Ok(rest);
        }
        let (byte, rest) = (piece[0], &piece[1..]);
        let next = match (escape, byte) {
            (EscapeState::Started, b'u') => EscapeState::Unicode { digits: 0, value: 0 },
            (EscapeState::Started, b'/') => self.escaped(b'/', parts)?,
            (EscapeState::Started, b'n' | b'r' | b't') => self.escaped(b'\n', parts)?,
            (EscapeState::Started, b'"' | b'\\' | b'b' | b'f') => return Err(self.not_base64()),
            (EscapeState::Unicode { digits, value }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or_else(|| malformed("a \\u escape is broken"))?;
                let value = value * 16 + digit;
                match digits {
                    3 => self.escaped(u8::try_from(value).map_err(|_| self.not_base64())?, parts)?,
                    _ => EscapeState::Unicode { digits: digits + 1, value },
                }
            }
            _ => return Err(malformed("an escape is broken")),
        };
        self.state = ScanState::File(next);
        Ok(rest)
    }

    fn escaped(&mut self, byte: u8, parts: &mut Vec<ExtractedPart>) -> Result<EscapeState, Rejection> {
        self.decode(&[byte], parts)?;
        Ok(EscapeState::No)
    }

    fn decode(&mut self, text: &[u8], parts: &mut Vec<ExtractedPart>) -> Result<(), Rejection> {
        self.decoder.push(text, byte_buffer(parts)).map_err(|_| self.not_base64())
    }

    /// The name, for rejections, of the member whose string is being read.
    fn field(&self) -> String {
        self.member(self.places.last().map_or("", String::as_str))
    }

    fn member(&self, place: &str) -> String {
        if self.is_single() { place.to_owned() } else { format!("{place}.base64") }
    }

    fn is_single(&self) -> bool {
        matches!(self.fields, FileFields::Only(_))
    }

    /// How many bytes of JSON the field that is being read may have.
    fn structure_limit(&self) -> usize {
        match self.fields {
            FileFields::Objects { limit, .. } => limit(&self.levels[0].key),
            FileFields::Only(_) => STRUCTURE_LIMIT_BYTES,
        }
    }

    fn not_base64(&self) -> Rejection {
        let field = self.field();
        let padding = if self.is_single() { "padded with =" } else { "= at the end only" };
        let detail = format!(
            "{field} is standard base64 (A-Z a-z 0-9 + /, {padding}) and nothing else: no data: prefix, not the \
             URL-safe alphabet."
        );
        Rejection::field(ProblemCode::InvalidBase64, field, detail)
    }
}

/// The buffer for the bytes that come next.
fn byte_buffer(parts: &mut Vec<ExtractedPart>) -> &mut Vec<u8> {
    if !matches!(parts.last(), Some(ExtractedPart::Bytes(_))) {
        parts.push(ExtractedPart::Bytes(Vec::new()));
    }
    match parts.last_mut() {
        Some(ExtractedPart::Bytes(bytes)) => bytes,
        _ => unreachable!("it was just put there"),
    }
}

fn unescaped(key: &[u8]) -> String {
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_default()
}

fn malformed(what: &str) -> Rejection {
    Rejection::new(ProblemCode::MalformedJson, format!("The body is not valid JSON: {what}."))
}

#[cfg(test)]
#[path = "json_stream_tests.rs"]
mod tests;
