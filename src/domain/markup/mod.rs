//! Texts with markup: taken out, and what it said as entities, as the Bot API server does (TDLib).

mod html;
mod markdown;
mod markdown_v2;

use serde_json::{Map, Value, json};

/// A text without markup, and what the markup said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Formatted {
    /// The text.
    pub text: String,
    /// Telegram's MessageEntity objects, measured in UTF-16 units, in the order in which Telegram lists them.
    pub entities: Vec<Value>,
}

impl Formatted {
    /// Takes the markup of a `parse_mode` out, in any case of letters; `None` if there is no such mode.
    ///
    /// # Errors
    /// What is wrong with the markup, in the words of the Bot API server.
    pub fn parse(text: &str, mode: &str) -> Option<Result<Self, String>> {
        Some(match mode.to_ascii_lowercase().as_str() {
            "html" => html::parse(text),
            "markdownv2" => markdown_v2::parse(text),
            "markdown" => markdown::parse(text),
            _ => return None,
        })
    }
}

/// The length by which texts and entities are measured.
pub fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// An entity from an offset to the end of the text so far.
fn entity(kind: &str, offset: usize, text: &str, more: &[(&str, &str)]) -> Value {
    let mut entity = Map::new();
    entity.insert("offset".into(), json!(offset));
    entity.insert("length".into(), json!(utf16(text) - offset));
    entity.insert("type".into(), kind.into());
    entity.extend(more.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    Value::Object(entity)
}

/// Puts entities in the order in which Telegram lists them.
fn sorted(mut entities: Vec<Value>) -> Vec<Value> {
    let number = |entity: &Value, name: &str| entity[name].as_u64().unwrap_or(0);
    entities.retain(|entity| number(entity, "length") > 0);
    entities.sort_by_key(|entity| (number(entity, "offset"), std::cmp::Reverse(number(entity, "length"))));
    entities
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(mode: &str, text: &str) -> Value {
        Formatted::parse(text, mode).unwrap().unwrap().entities.into()
    }

    #[test]
    fn code_keeps_its_language() {
        let wanted = json!([{"type": "pre", "offset": 0, "length": 4, "language": "rust"}]);
        assert_eq!(entities("HTML", "<pre><code class=\"language-rust\">main</code></pre>"), wanted);
        assert_eq!(entities("MarkdownV2", "```rust\nmain```"), wanted);
        let plain = json!([{"type": "pre", "offset": 0, "length": 4}]);
        assert_eq!(entities("MarkdownV2", "```\nmain```"), plain);
        assert_eq!(entities("HTML", "<pre><code>main</code></pre>"), plain);
        let alone = json!([{"type": "code", "offset": 0, "length": 4}]);
        assert_eq!(entities("HTML", "<code class=\"language-rust\">main</code>"), alone);
    }

    #[test]
    fn long_quotations_can_be_folded() {
        let folded = json!([{"type": "expandable_blockquote", "offset": 0, "length": 1}]);
        assert_eq!(entities("HTML", "<blockquote expandable>x</blockquote>"), folded);
    }
}
