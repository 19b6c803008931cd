//! JSON as the Bot API server reads it (Telegram's server source): any byte may stand in a string, an unknown escape is the
//! character itself, numbers are kept as they are written, and the first member of a name counts.

use serde_json::Value;

/// How many levels of values there may be (Bot API server).
const MAX_DEPTH: usize = 101;

/// A value. What a string says need not be UTF-8: half a surrogate pair is not.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Boolean(bool),
    /// As it is written.
    Number(String),
    String(Vec<u8>),
    Array(Vec<Json>),
    Object(JsonObject),
}

/// The members of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonObject(Vec<(Vec<u8>, Json)>);

impl Json {
    /// Reads a text that is one value.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parser = JsonParser { text, at: 0 };
        let value = parser.value(MAX_DEPTH)?;
        parser.skip_space();
        (parser.at == text.len()).then_some(value)
    }

    /// The members of the object that a text begins with, up to where it is broken; of a string what it says, of all else the
    /// text itself.
    pub fn members(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut parser = JsonParser { text, at: 0 };
        let mut found = Vec::new();
        parser.skip_space();
        let mut more = parser.try_skip(b'{');
        while more {
            parser.skip_space();
            let Some(name) = parser.string() else { break };
            parser.skip_space();
            if !parser.try_skip(b':') {
                break;
            }
            parser.skip_space();
            let begin = parser.at;
            match parser.value(MAX_DEPTH) {
                Some(Self::String(said)) => found.push((name, said)),
                Some(_) => found.push((name, text[begin..parser.at].to_vec())),
                None => break,
            }
            parser.skip_space();
            more = parser.try_skip(b',');
        }
        found
    }

    /// The same for serde, with what is not UTF-8 replaced.
    pub fn to_value(&self) -> Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Null => Value::Null,
            Self::Boolean(flag) => Value::Bool(*flag),
            Self::Number(number) => serde_json::from_str(number).unwrap_or_else(|_| number.as_str().into()),
            Self::String(said) => text(said).into(),
            Self::Array(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(JsonObject(members)) => {
                let mut object = serde_json::Map::new();
                for (name, value) in members {
                    object.entry(text(name)).or_insert_with(|| value.to_value());
                }
                Value::Object(object)
            }
        }
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self::parse(value.to_string().as_bytes()).unwrap_or(Self::Null)
    }
}

/// Members by name and type; an error says what is wrong in the words of the Bot API server.
impl JsonObject {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(other, _)| other == name.as_bytes()).map(|(_, value)| value)
    }

    /// A text; empty if it is missing. A number is taken for one.
    pub fn text(&self, name: &str) -> Result<Vec<u8>, String> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Json::String(said)) => Ok(said.clone()),
            Some(Json::Number(number)) => Ok(number.clone().into()),
            Some(_) => Err(format!("Field \"{name}\" must be of type String")),
        }
    }

    /// The same as text that is read by no user, such as a file_id or a type.
    pub fn word(&self, name: &str) -> Result<String, String> {
        self.text(name).map(|said| String::from_utf8_lossy(&said).into_owned())
    }

    /// A text that must be there.
    pub fn required_word(&self, name: &str) -> Result<String, String> {
        self.required(name)?;
        self.word(name)
    }

    pub fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(Json::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(format!("Field \"{name}\" must be of type Boolean")),
        }
    }

    /// A number that fits into 32 bits.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Json::Number(number)) => number.as_bytes(),
            Some(Json::String(said)) => said,
            Some(_) => return Err(format!("Field \"{name}\" must be a Number")),
        };
        let read = std::str::from_utf8(number).ok().and_then(|text| Some((text, text.parse::<i32>().ok()?)));
        match read {
            Some((text, read)) if read.to_string() == text => Ok(Some(read.into())),
            _ => Err(format!("Field \"{name}\" must be a valid Number")),
        }
    }

    /// A number that must be there.
    pub fn required_integer(&self, name: &str) -> Result<i64, String> {
        self.required(name)?;
        self.integer(name).map(Option::unwrap_or_default)
    }

    fn required(&self, name: &str) -> Result<(), String> {
        self.get(name).map(|_| ()).ok_or_else(|| format!("Can't find field \"{name}\""))
    }
}

/// A position in a text.
struct JsonParser<'a> {
    text: &'a [u8],
    at: usize,
}

impl JsonParser<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn try_skip(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| b" \t\r\n\0\x0b".contains(byte)) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        self.skip_space();
        match self.peek() {
            b'"' => self.string().map(Json::String),
            b'[' => {
                let mut items = Vec::new();
                self.list(b']', |parser| {
                    items.push(parser.value(depth)?);
                    Some(())
                })?;
                Some(Json::Array(items))
            }
            b'{' => {
                let mut members = Vec::new();
                self.list(b'}', |parser| {
                    let name = parser.string()?;
                    parser.skip_space();
                    parser.try_skip(b':').then_some(())?;
                    members.push((name, parser.value(depth)?));
                    Some(())
                })?;
                Some(Json::Object(JsonObject(members)))
            }
            b'-' | b'+' | b'.' | b'0'..=b'9' => {
                let begin = self.at;
                while b"-+.eE0123456789".contains(&self.peek()) {
                    self.at += 1;
                }
                Some(Json::Number(String::from_utf8_lossy(&self.text[begin..self.at]).into_owned()))
            }
            _ => {
                let words = [("true", Json::Boolean(true)), ("false", Json::Boolean(false)), ("null", Json::Null)];
                let (word, value) =
                    words.into_iter().find(|(word, _)| self.text[self.at..].starts_with(word.as_bytes()))?;
                self.at += word.len();
                Some(value)
            }
        }
    }

    /// What stands between brackets, separated by commas.
    fn list(&mut self, end: u8, mut entry: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.skip_space();
        if self.try_skip(end) {
            return Some(());
        }
        loop {
            self.skip_space();
            entry(self)?;
            self.skip_space();
            if self.try_skip(end) {
                return Some(());
            }
            self.try_skip(b',').then_some(())?;
        }
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.try_skip(b'"').then_some(())?;
        let mut said = Vec::new();
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(said),
                b'\\' => self.escape(&mut said)?,
                byte => said.push(byte),
            }
        }
    }

    fn escape(&mut self, said: &mut Vec<u8>) -> Option<()> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        said.push(match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let mut code = self.hex()?;
                if code >> 11 == 0x1b && self.text[self.at..].starts_with(b"\\u") {
                    let here = self.at;
                    self.at += 2;
                    let next = self.hex()?;
                    if next >> 11 == 0x1b {
                        code = 0x1_0000 + ((code & 0x3ff) << 10) + (next & 0x3ff);
                    } else {
                        self.at = here;
                    }
                }
                encode(code, said);
                return Some(());
            }
            other => other,
        });
        Some(())
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let fits = digits.iter().all(u8::is_ascii_hexdigit);
        fits.then(|| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
    }
}

/// UTF-8, into which half a surrogate pair is written like any other number, so that nobody can read it.
fn encode(code: u32, said: &mut Vec<u8>) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => said.push(code as u8),
        0x80..0x800 => said.extend([0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => said.extend([0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => said.extend([0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
