//! A text and its entities.

use serde_json::{Map, Value, json};

/// A text without markup, and what the markup said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Formatted {
    /// The text.
    pub text: String,
    /// Telegram's MessageEntity objects, measured in UTF-16 units, in the order in which Telegram lists them.
    pub entities: Vec<Value>,
}

/// The length by which texts and entities are measured.
pub fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text that is being taken out of its markup; knows its length, so that reading it takes time in proportion to it.
#[derive(Default)]
pub struct PlainText {
    text: String,
    units: usize,
}

impl PlainText {
    /// Appends a text.
    pub fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
        self.units += utf16(text);
    }

    /// Appends a character.
    pub fn push(&mut self, character: char) {
        self.text.push(character);
        self.units += character.len_utf16();
    }

    /// Its length in UTF-16 units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The text with these entities.
    pub fn with_entities(self, entities: Vec<Value>) -> Formatted {
        Formatted { text: self.text, entities: sorted(entities) }
    }
}

/// An entity from an offset to the end of the text so far.
pub fn entity(kind: &str, offset: usize, text: &PlainText, more: &[(&str, &str)]) -> Value {
    let mut entity = Map::new();
    entity.insert("offset".into(), json!(offset));
    entity.insert("length".into(), json!(text.units() - offset));
    entity.insert("type".into(), kind.into());
    entity.extend(more.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    Value::Object(entity)
}

/// Puts entities in the order in which Telegram lists them.
pub fn sorted(mut entities: Vec<Value>) -> Vec<Value> {
    let number = |entity: &Value, name: &str| entity[name].as_u64().unwrap_or(0);
    entities.retain(|entity| number(entity, "length") > 0);
    entities.sort_by_key(|entity| (number(entity, "offset"), std::cmp::Reverse(number(entity, "length"))));
    entities
}
