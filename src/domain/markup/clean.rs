//! What Telegram does to a text before it counts it (Telegram's server source): it drops or replaces what cannot be seen,
//! and takes white space off both ends. Entities move along.

use super::formatted::{Formatted, sorted, utf16};

/// What counts as nothing in a text that says nothing: spaces of every width, joiners, marks of direction.
fn is_invisible(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\u{a0}' | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{202e}' | '\u{202f}'
        | '\u{205f}' | '\u{2800}' | '\u{3000}' | '\u{feff}' | '\u{fffc}' | '\u{e0000}'..='\u{e007f}')
}

/// What becomes of a character; `None` if it is dropped.
fn cleaned(c: char) -> Option<char> {
    match c {
        '\r' | '\u{2028}'..='\u{202e}' | '\u{333}' | '\u{33f}' | '\u{30a}' => None,
        '\n' => Some(c),
        '\0'..='\x1f' => Some(' '),
        c => Some(c),
    }
}

/// A text without entities as Telegram cleans it.
pub fn clean_text(text: &str) -> String {
    let text: String = text.chars().filter_map(cleaned).collect();
    text.trim_matches([' ', '\n']).to_owned()
}

/// Whether nothing in a text can be seen.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

impl Formatted {
    /// The text and its entities as Telegram cleans them. Nothing is left of a text of white space.
    ///
    /// # Errors
    /// What is wrong with an entity's place, in the words of Telegram's server.
    pub fn clean(self) -> Result<Self, String> {
        if self.entities.is_empty() {
            return Ok(Self { text: clean_text(&self.text), entities: Vec::new() });
        }
        let mut text = String::with_capacity(self.text.len());
        // Where each UTF-16 unit of the old text is in the new one; `None` within a character.
        let (mut places, mut place) = (Vec::with_capacity(self.text.len() + 1), 0);
        for c in self.text.chars() {
            places.push(Some(place));
            places.extend(std::iter::repeat_n(None, c.len_utf16() - 1));
            if let Some(c) = cleaned(c) {
                place += c.len_utf16();
                text.push(c);
            }
        }
        places.push(Some(place));
        let mut entities = self.entities;
        for entity in &mut entities {
            let number = |name: &str| entity[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
            let (offset, end) = (number("offset"), number("offset").saturating_add(number("length")));
            let begin = *places
                .get(offset)
                .ok_or_else(|| format!("Entity begins after the end of the text at UTF-16 offset {offset}"))?;
            let begin = begin.ok_or_else(|| {
                format!(
                    "Entity begins in a middle of a UTF-16 symbol at byte offset {}",
                    bytes_up_to(&self.text, offset)
                )
            })?;
            let end_place = *places.get(end).ok_or_else(|| {
                format!(
                    "Entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
                )
            })?;
            let end_place = end_place.ok_or_else(|| {
                format!(
                    "Entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol at byte offset {}",
                    bytes_up_to(&self.text, end)
                )
            })?;
            entity["offset"] = begin.into();
            entity["length"] = (end_place - begin).into();
        }
        Ok(trimmed(text, sorted(entities)))
    }

    /// Whether nothing in the text can be seen.
    pub fn is_blank(&self) -> bool {
        is_blank(&self.text)
    }
}

/// How many bytes of a text lie before the end of the character that a UTF-16 offset falls into.
fn bytes_up_to(text: &str, offset: usize) -> usize {
    let mut units = 0;
    let characters = text.chars().take_while(|c| {
        units += c.len_utf16();
        units - c.len_utf16() < offset
    });
    characters.map(char::len_utf8).sum()
}

/// Takes white space off the ends; in front only as far as the first entity.
fn trimmed(mut text: String, mut entities: Vec<serde_json::Value>) -> Formatted {
    text.truncate(text.trim_end_matches([' ', '\n']).len());
    let end = utf16(&text) as u64;
    let number = |entity: &serde_json::Value, name: &str| entity[name].as_u64().unwrap_or_default();
    entities.retain_mut(|entity| {
        let offset = number(entity, "offset");
        let length = number(entity, "length").min(end.saturating_sub(offset));
        entity["length"] = length.into();
        length > 0
    });
    let first = entities.first().map_or(text.len() as u64, |entity| number(entity, "offset"));
    let space = text.bytes().zip(0..first).take_while(|(byte, _)| matches!(byte, b' ' | b'\n')).count();
    text.drain(..space);
    for entity in &mut entities {
        entity["offset"] = (number(entity, "offset") - space as u64).into();
    }
    Formatted { text, entities: sorted(entities) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The clean text and its entities as `offset+length`.
    fn clean(text: &str, places: &[(usize, usize)]) -> Result<(String, Vec<String>), String> {
        let entity = |(offset, length): &(usize, usize)| json!({"type": "bold", "offset": offset, "length": length});
        let formatted = Formatted { text: text.to_owned(), entities: places.iter().map(entity).collect() };
        let Formatted { text, entities } = formatted.clean()?;
        let short = |entity: &Value| format!("{}+{}", entity["offset"], entity["length"]);
        Ok((text, entities.iter().map(short).collect()))
    }

    #[test]
    fn what_cannot_be_seen_is_dropped_or_becomes_a_space() {
        for (text, wanted) in [
            ("a\r\nb", "a\nb"),
            ("a\tb\0c\x0bd\x1fe\x7f", "a b c d e\x7f"),
            ("a\u{2028}b\u{202e}c\u{333}d\u{33f}e\u{30a}f", "abcdef"),
            (" \n\t a \u{a0}b\r\n ", "a \u{a0}b"),
            ("\u{a0}a\u{2003}", "\u{a0}a\u{2003}"),
            (" \r\n\u{2028}", ""),
            ("\u{feff}", "\u{feff}"),
        ] {
            assert_eq!(clean(text, &[]), Ok((wanted.to_owned(), Vec::new())), "{text:?}");
        }
    }

    #[test]
    fn entities_move_along() {
        for (text, places, wanted, moved) in [
            ("a\r\r🎉b ", &[(1, 5), (5, 1)][..], "a🎉b", &["1+3", "3+1"][..]),
            ("  a b  ", &[(2, 1), (4, 3)], "a b", &["0+1", "2+1"]),
            ("  a", &[(1, 2)], " a", &["0+2"]),
            ("a  ", &[(1, 2)], "a", &[]),
            ("a\rb", &[(1, 1)], "ab", &[]),
            ("   ", &[(0, 3)], "", &[]),
        ] {
            let moved = moved.iter().map(|place| (*place).to_owned()).collect();
            assert_eq!(clean(text, places), Ok((wanted.to_owned(), moved)), "{text:?}");
        }
    }

    #[test]
    fn entities_out_of_place_are_told_in_telegrams_words() {
        for (text, place, words) in [
            ("ab", (3, 1), "Entity begins after the end of the text at UTF-16 offset 3"),
            ("ab", (0, 9), "Entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9"),
            ("a🎉b", (2, 1), "Entity begins in a middle of a UTF-16 symbol at byte offset 5"),
            (
                "a🎉b",
                (0, 2),
                "Entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at byte offset 5",
            ),
        ] {
            assert_eq!(clean(text, &[place]), Err(words.to_owned()));
        }
    }

    #[test]
    fn a_text_that_shows_nothing_is_blank() {
        let blank = |text: &str| Formatted { text: text.to_owned(), entities: Vec::new() }.is_blank();
        for text in ["", " ", "\u{200b}\u{200f}", "\u{feff}\u{a0}", "\u{2800}\u{3000}"] {
            assert!(blank(text), "{text:?}");
        }
        for text in [".", "\u{200b}a", "\u{ad}"] {
            assert!(!blank(text), "{text:?}");
        }
    }
}
