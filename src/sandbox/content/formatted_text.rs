//! Captions and texts: their markup taken out, their length checked.

use crate::domain::markup::{Formatted, utf16};
use crate::sandbox::arguments::SandboxArguments;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Map, Value};

/// The longest caption, in characters after its markup was parsed (Bot API).
const MAX_CAPTION_CHARS: usize = 1024;
/// The longest text, in characters after its markup was parsed (Bot API).
const MAX_TEXT_CHARS: usize = 4096;
/// The longest argument (Bot API server).
const MAX_ARGUMENT_BYTES: usize = 32_768;

/// Parses a text by the `parse_mode` or the entities that go with it.
pub fn parse_text(text: &str, mode: &str, entities: Option<&str>) -> ApiResult<Formatted> {
    if text.len() > MAX_ARGUMENT_BYTES {
        return Err(SandboxError::bad("text is too long"));
    }
    if mode.is_empty() {
        return Ok(trimmed(Formatted { text: text.to_owned(), entities: given(entities)? }));
    }
    let parsed = Formatted::parse(text, mode).ok_or_else(|| SandboxError::bad("unsupported parse_mode"))?;
    parsed.map(trimmed).map_err(|why| SandboxError::bad(format!("can't parse entities: {why}")))
}

/// The text of a message without media, from a call's arguments.
pub fn text_of_arguments(arguments: &SandboxArguments) -> ApiResult<Formatted> {
    let get = |name| arguments.text(name).unwrap_or("");
    checked_text(parse_text(get("text"), get("parse_mode"), arguments.text("entities"))?)
}

/// The caption of a message with media, from a call's arguments.
pub fn caption_of_arguments(arguments: &SandboxArguments) -> ApiResult<Formatted> {
    let get = |name| arguments.text(name).unwrap_or("");
    checked_caption(parse_text(get("caption"), get("parse_mode"), arguments.text("caption_entities"))?)
}

/// Parses a text of a JSON object, such as an `InputMedia`, by the fields beside it.
pub fn parse_field(fields: &Map<String, Value>, name: &str, entities: &str) -> ApiResult<Formatted> {
    let list = fields.get(entities).map(Value::to_string);
    parse_text(text_field(fields, name), text_field(fields, "parse_mode"), list.as_deref())
}

/// A text of a JSON object; empty if there is none.
pub fn text_field<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

/// Refuses an empty text and one that is too long.
pub fn checked_text(text: Formatted) -> ApiResult<Formatted> {
    if text.text.is_empty() {
        return Err(SandboxError::bad("message text is empty"));
    }
    if text.text.chars().count() > MAX_TEXT_CHARS {
        return Err(SandboxError::bad("message is too long"));
    }
    Ok(text)
}

/// Refuses a caption that is too long.
pub fn checked_caption(caption: Formatted) -> ApiResult<Formatted> {
    if caption.text.chars().count() > MAX_CAPTION_CHARS {
        return Err(SandboxError::bad("message caption is too long"));
    }
    Ok(caption)
}

fn given(entities: Option<&str>) -> ApiResult<Vec<Value>> {
    let Some(text) = entities else { return Ok(Vec::new()) };
    let wrong = |why: &str| SandboxError::bad(format!("can't parse MessageEntity: {why}"));
    let Ok(Value::Array(entities)) = serde_json::from_str(text) else { return Err(wrong("Array expected")) };
    for entity in &entities {
        let number = |name| entity.get(name).is_some_and(Value::is_i64);
        if !entity.get("type").is_some_and(Value::is_string) || !number("offset") || !number("length") {
            return Err(wrong("type, offset and length are needed"));
        }
    }
    Ok(entities)
}

/// Telegram takes white space off the ends, as far as no entity hangs on it.
fn trimmed(mut formatted: Formatted) -> Formatted {
    formatted.text.truncate(formatted.text.trim_end().len());
    if formatted.entities.is_empty() {
        formatted.text = formatted.text.trim_start().to_owned();
    }
    let end = utf16(&formatted.text) as u64;
    formatted.entities.retain_mut(|entity| {
        let offset = entity["offset"].as_u64().unwrap_or(0);
        let length = entity["length"].as_u64().unwrap_or(0).min(end.saturating_sub(offset));
        entity["length"] = length.into();
        length > 0
    });
    formatted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text and its entities as `type@offset+length`.
    fn read(mode: &str, text: &str) -> (String, Vec<String>) {
        let formatted = parse_text(text, mode, None).unwrap();
        let short = |e: &Value| format!("{}@{}+{}", e["type"].as_str().unwrap(), e["offset"], e["length"]);
        (formatted.text.clone(), formatted.entities.iter().map(short).collect())
    }

    fn wrong(mode: &str, text: &str) -> String {
        parse_text(text, mode, None).unwrap_err().description
    }

    fn entities(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn html_is_taken_out_and_measured_in_utf16() {
        assert_eq!(
            read("HTML", "😀<b>bold <i>both</i></b> &lt;x&gt; &#33;<a href=\"https://e.org\">link</a>"),
            ("😀bold both <x> !link".into(), entities(&["bold@2+9", "italic@7+4", "text_link@17+4"]))
        );
        assert_eq!(read("html", "a<pre><code class=\"language-rust\">b</code></pre>").0, "ab");
        assert_eq!(read("html", "<span class=\"tg-spoiler\">x</span>").1, ["spoiler@0+1"]);
        assert_eq!(
            wrong("HTML", "<x>"),
            "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0"
        );
        assert_eq!(
            wrong("HTML", "<b>a</i>"),
            "Bad Request: can't parse entities: Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""
        );
        assert!(wrong("HTML", "<b>a").contains("Can't find end tag corresponding to start tag \"b\""));
        assert!(wrong("HTML", "a</b>").contains("Unexpected end tag at byte offset 1"));
        assert!(wrong("HTML", "a < b").contains("Unsupported start tag \"\" at byte offset 2"));
    }

    #[test]
    fn markdown_v2_is_taken_out_and_reserved_characters_are_refused() {
        assert_eq!(
            read("MarkdownV2", "*bold _both_* __under__ ~no~ ||x|| `a.b` [link](https://e.org)\\!"),
            (
                "bold both under no x a.b link!".into(),
                entities(&[
                    "bold@0+9",
                    "italic@5+4",
                    "underline@10+5",
                    "strikethrough@16+2",
                    "spoiler@19+1",
                    "code@21+3",
                    "text_link@25+4"
                ])
            )
        );
        assert_eq!(read("markdownv2", "```rust\nfn main() {}```").1, ["pre@0+12"]);
        assert_eq!(
            wrong("MarkdownV2", "a.b"),
            "Bad Request: can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'"
        );
        assert_eq!(
            wrong("MarkdownV2", "a *b"),
            "Bad Request: can't parse entities: Can't find end of Bold entity at byte offset 2"
        );
    }

    #[test]
    fn old_markdown_knows_no_nesting() {
        assert_eq!(
            read("Markdown", "*b* _i_ `c` [l](http://e.org) a.b"),
            ("b i c l a.b".into(), entities(&["bold@0+1", "italic@2+1", "code@4+1", "text_link@6+1"]))
        );
        assert!(wrong("Markdown", "a *b").contains("Can't find end of the entity starting at byte offset 2"));
    }

    #[test]
    fn captions_are_measured_after_parsing() {
        let long = format!("<b>{}</b>", "é".repeat(1024));
        assert!(checked_caption(parse_text(&long, "HTML", None).unwrap()).is_ok());
        let longer = parse_text(&"é".repeat(1025), "", None).unwrap();
        assert_eq!(checked_caption(longer).unwrap_err().description, "Bad Request: message caption is too long");
        assert_eq!(parse_text(&"x".repeat(32_769), "", None).unwrap_err().description, "Bad Request: text is too long");
        assert_eq!(wrong("BBCode", "x"), "Bad Request: unsupported parse_mode");
        assert_eq!(
            parse_text("x", "", Some("{}")).unwrap_err().description,
            "Bad Request: can't parse MessageEntity: Array expected"
        );
    }
}
