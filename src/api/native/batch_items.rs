//! Splits a body into the JSON objects in it, as it arrives: one array of them, or one after the other with white space in between
//! (NDJSON). What is inside an object is left to who reads it.

use crate::intake::rejection::{ProblemCode, Rejection};

/// The largest item in bytes: a text of the greatest length with all its formatting, and room to spare.
pub const ITEM_LIMIT_BYTES: usize = 128 * 1024;

/// Where the items stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Frame {
    /// One after the other.
    #[default]
    Lines,
    /// In an array that has not begun.
    BeforeArray,
    /// In it.
    InArray,
    /// It has ended.
    BehindArray,
}

/// See the module.
#[derive(Debug, Default)]
pub struct BatchItems {
    item: Vec<u8>,
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    frame: Frame,
    /// How many have begun.
    begun: usize,
}

impl BatchItems {
    /// Of one array.
    pub fn of_array() -> Self {
        Self { frame: Frame::BeforeArray, ..Self::default() }
    }

    /// Of objects one after the other.
    pub fn of_lines() -> Self {
        Self::default()
    }

    /// Takes the next bytes, and puts the objects that are whole now behind the others.
    ///
    /// # Errors
    /// What stands between the objects is none, or one is too large.
    pub fn push(&mut self, bytes: &[u8], whole: &mut Vec<Vec<u8>>) -> Result<(), Rejection> {
        for byte in bytes {
            if self.depth > 0 {
                self.inside(*byte, whole)?;
            } else {
                self.between(*byte)?;
            }
        }
        Ok(())
    }

    /// Checks that nothing is left open.
    ///
    /// # Errors
    /// Something is.
    pub fn finish(&self) -> Result<(), Rejection> {
        match self.frame {
            Frame::BeforeArray => {
                Err(malformed("The body is no array. One object on each line is application/x-ndjson."))
            }
            Frame::Lines | Frame::BehindArray if self.depth == 0 => Ok(()),
            _ => Err(malformed("The body ends in the middle: an object or the array is not closed.")),
        }
    }

    fn between(&mut self, byte: u8) -> Result<(), Rejection> {
        match (byte, self.frame) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => {}
            (b'[', Frame::BeforeArray) => self.frame = Frame::InArray,
            (_, Frame::BeforeArray) => return self.finish(),
            (_, Frame::BehindArray) => return Err(malformed("Something stands behind the array.")),
            (b'{', _) => {
                (self.depth, self.begun) = (1, self.begun + 1);
                self.item.push(byte);
            }
            (b']', Frame::InArray) => self.frame = Frame::BehindArray,
            (b',', Frame::InArray) if self.begun > 0 => {}
            _ => {
                let place = format!("Behind item {} stands what is no JSON object.", self.begun);
                return Err(malformed(&format!("{place} Write one array of objects, or one object on each line.")));
            }
        }
        Ok(())
    }

    fn inside(&mut self, byte: u8, whole: &mut Vec<Vec<u8>>) -> Result<(), Rejection> {
        self.item.push(byte);
        if self.item.len() > ITEM_LIMIT_BYTES {
            let detail = format!(
                "Item {} is larger than {} KiB. Images are named by sha256.",
                self.begun - 1,
                ITEM_LIMIT_BYTES >> 10
            );
            return Err(Rejection::new(ProblemCode::BodyTooLarge, detail));
        }
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_string => self.is_escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    whole.push(std::mem::take(&mut self.item));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn malformed(detail: &str) -> Rejection {
    Rejection::new(ProblemCode::MalformedJson, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str, step: usize) -> Result<Vec<String>, String> {
        let mut items = if body.trim().starts_with('[') { BatchItems::of_array() } else { BatchItems::of_lines() };
        let mut whole = Vec::new();
        for piece in body.as_bytes().chunks(step) {
            items.push(piece, &mut whole).map_err(|rejection| rejection.detail)?;
        }
        items.finish().map_err(|rejection| rejection.detail)?;
        Ok(whole.into_iter().map(|item| String::from_utf8(item).unwrap()).collect())
    }

    #[test]
    fn objects_are_found_however_the_body_is_cut() {
        let odd = r#"{"text":"}]{\"\\","a":[1,{"b":"["}]}"#;
        for body in [format!("[{odd} ,\n{{}}]\n"), format!("{odd}\n{{}}\r\n"), format!("{odd}{{}}")] {
            for step in [1, 2, 7, 1_000] {
                assert_eq!(split(&body, step).unwrap(), [odd, "{}"], "{body} in steps of {step}");
            }
        }
        assert!(split("", 1).unwrap().is_empty() && split(" [ ] ", 1).unwrap().is_empty());
    }

    #[test]
    fn what_is_none_is_refused_without_being_repeated() {
        for (body, word) in [
            ("secret", "no JSON object"),
            ("[{}] {}", "behind the array"),
            ("{}]", "Behind item 1"),
            ("[,{}]", "Behind item 0"),
            ("[[{}]]", "Behind item 0"),
            ("[{}", "in the middle"),
            ("{\"a\":", "in the middle"),
        ] {
            assert!(BatchItems::of_array().push(b" {", &mut Vec::new()).is_err());
            let detail = split(body, 3).unwrap_err();
            assert!(detail.contains(word) && !detail.contains("secret"), "{body}: {detail}");
        }
        let large = format!("{{\"text\":\"{}\"}}", "x".repeat(ITEM_LIMIT_BYTES));
        assert!(split(&large, 4096).unwrap_err().contains("Item 0 is larger"));
    }
}
