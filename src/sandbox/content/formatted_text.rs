//! Captions and texts: their markup taken out, cleaned, their length checked. What is wrong is told as Telegram's server
//! says it to itself, with a capital; [`SandboxError::sentence`] makes an answer of it.

use crate::domain::markup::Formatted;
use crate::sandbox::arguments::{Json, JsonObject, SandboxArguments};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::Value;

/// The longest caption, in characters after its markup was parsed (Bot API).
const MAX_CAPTION_CHARS: usize = 1024;
/// The longest text, in characters after its markup was parsed (Bot API).
const MAX_TEXT_CHARS: usize = 4096;
/// The longest argument (Bot API server).
const MAX_ARGUMENT_BYTES: usize = 32_768;
/// How far away an entity may begin, and how long it may be (TDLib).
const MAX_ENTITY_PLACE: i64 = 1_000_000;
/// What is wrong with a text that is not UTF-8, if it has no `parse_mode`. Telegram finds it after all else was read, so it is
/// told as it is also inside an `InputMedia`.
pub const NOT_UTF8: &str = "Strings must be encoded in UTF-8";
/// The kinds of entities that need nothing beside their place.
const SIMPLE_ENTITIES: &str =
    " bold italic underline strikethrough spoiler code pre blockquote expandable_blockquote date_time ";
/// The kinds that Telegram finds by itself, and ignores when they are given.
const FOUND_ENTITIES: &str = " mention hashtag cashtag bot_command url email phone_number bank_card_number ";

/// Reads a text by the `parse_mode` or the entities that go with it.
pub fn parse_text(text: &[u8], mode: &str, entities: Option<&Json>) -> Result<Formatted, String> {
    if text.len() > MAX_ARGUMENT_BYTES {
        return Err("Text is too long".to_owned());
    }
    let read = std::str::from_utf8(text);
    if !text.is_empty() && !mode.is_empty() && !mode.eq_ignore_ascii_case("none") {
        if Formatted::parse("", mode).is_none() {
            return Err("Unsupported parse_mode".to_owned());
        }
        let read = read.map_err(|_| "Text must be encoded in UTF-8")?;
        let parsed = Formatted::parse(read, mode).unwrap_or(Ok(Formatted::default()));
        return parsed.map_err(|why| format!("Can't parse entities: {why}"));
    }
    let entities = match entities {
        Some(Json::Array(entities)) => {
            let read = entities.iter().map(entity).collect::<Result<Vec<_>, _>>();
            read.map_err(|why| format!("Can't parse MessageEntity: {why}"))?.into_iter().flatten().collect()
        }
        _ => Vec::new(),
    };
    Ok(Formatted { text: read.map_err(|_| NOT_UTF8)?.to_owned(), entities })
}

/// The text of a message without media, from a call's arguments.
pub fn text_of_arguments(arguments: &SandboxArguments) -> ApiResult<Formatted> {
    if arguments.text("text").is_none() {
        return Err(SandboxError::bad("message text is empty"));
    }
    argument(arguments, "text", "entities")
}

/// The caption of a message with media, from a call's arguments.
pub fn caption_of_arguments(arguments: &SandboxArguments) -> ApiResult<Formatted> {
    argument(arguments, "caption", "caption_entities")
}

fn argument(arguments: &SandboxArguments, name: &str, entities: &str) -> ApiResult<Formatted> {
    let mode = arguments.text("parse_mode").unwrap_or("");
    let entities = Json::parse(arguments.bytes(entities));
    parse_text(arguments.bytes(name), mode, entities.as_ref()).map_err(|why| SandboxError::sentence(&why))
}

/// Reads a text of a JSON object, such as an `InputMedia`, by the fields beside it.
pub fn parse_field(fields: &JsonObject, name: &str, entities: &str) -> Result<Formatted, String> {
    parse_text(&fields.text(name)?, &fields.word("parse_mode")?, fields.get(entities))
}

/// A text as Telegram sends it; one that shows nothing and one that is too long are refused.
pub fn checked_text(text: Formatted) -> ApiResult<Formatted> {
    let text = cleaned(text)?;
    if text.is_blank() {
        return Err(SandboxError::bad("text must be non-empty"));
    }
    if text.text.chars().count() > MAX_TEXT_CHARS {
        return Err(SandboxError::bad("message is too long"));
    }
    Ok(text)
}

/// A caption as Telegram sends it; one that is too long is refused.
pub fn checked_caption(caption: Formatted) -> ApiResult<Formatted> {
    let caption = cleaned(caption)?;
    if caption.text.chars().count() > MAX_CAPTION_CHARS {
        return Err(SandboxError::bad("message caption is too long"));
    }
    Ok(caption)
}

fn cleaned(text: Formatted) -> ApiResult<Formatted> {
    for (name, what) in [("offset", "offset"), ("length", "length")] {
        let place = |entity: &Value| entity[name].as_i64().filter(|n| !(0..=MAX_ENTITY_PLACE).contains(n));
        if let Some(place) = text.entities.iter().find_map(place) {
            return Err(SandboxError::bad(format!("receive an entity with incorrect {what} {place}")));
        }
    }
    text.clean().map_err(|why| SandboxError::sentence(&why))
}

/// An entity that is given; `None` if it is of a kind that Telegram finds by itself.
fn entity(value: &Json) -> Result<Option<Value>, String> {
    let Json::Object(fields) = value else { return Err("expected an Object".to_owned()) };
    fields.required_integer("offset")?;
    fields.required_integer("length")?;
    let kind = fields.required_word("type")?;
    let is_in = |kinds: &str| kinds.split(' ').any(|known| known == kind);
    match kind.as_str() {
        "" => return Err("Type is not specified".to_owned()),
        "text_link" => _ = fields.required_word("url")?,
        "text_mention" if !matches!(fields.get("user"), Some(Json::Object(_))) => {
            return Err(match fields.get("user") {
                None => "Can't find field \"user\"".to_owned(),
                Some(_) => "Field \"user\" must be of type Object".to_owned(),
            });
        }
        "text_mention" => {}
        "custom_emoji" => _ = fields.required_word("custom_emoji_id")?,
        _ if is_in(FOUND_ENTITIES) => return Ok(None),
        _ if !is_in(SIMPLE_ENTITIES) => return Err("Unsupported type specified".to_owned()),
        _ => {}
    }
    Ok(Some(value.to_value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text and its entities as `type@offset+length`.
    fn read(mode: &str, text: &str) -> (String, Vec<String>) {
        let formatted = parse_text(text.as_bytes(), mode, None).unwrap().clean().unwrap();
        let short = |e: &Value| format!("{}@{}+{}", e["type"].as_str().unwrap(), e["offset"], e["length"]);
        (formatted.text.clone(), formatted.entities.iter().map(short).collect())
    }

    fn wrong(mode: &str, text: &str) -> String {
        parse_text(text.as_bytes(), mode, None).unwrap_err()
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
        assert_eq!(wrong("HTML", "<x>"), "Can't parse entities: Unsupported start tag \"x\" at byte offset 0");
        assert_eq!(
            wrong("HTML", "<b>a</i>"),
            "Can't parse entities: Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""
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
            "Can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'"
        );
        assert_eq!(wrong("MarkdownV2", "a *b"), "Can't parse entities: Can't find end of Bold entity at byte offset 2");
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
        let read = |text: &str, mode: &str| parse_text(text.as_bytes(), mode, None).unwrap();
        let long = format!("<b>{}</b> \r\n", "é".repeat(1024));
        assert!(checked_caption(read(&long, "HTML")).is_ok());
        let longer = read(&"é".repeat(1025), "");
        assert_eq!(checked_caption(longer).unwrap_err().description, "Bad Request: message caption is too long");
        assert_eq!(checked_caption(read(" \n", "")).unwrap().text, "");
        assert_eq!(checked_text(read("\u{200b}", "")).unwrap_err().description, "Bad Request: text must be non-empty");
        assert_eq!(wrong("", &"x".repeat(32_769)), "Text is too long");
        assert_eq!(wrong("BBCode", "x"), "Unsupported parse_mode");
        assert_eq!(parse_text(b"\xff", "", None).unwrap_err(), "Strings must be encoded in UTF-8");
        assert_eq!(parse_text(b"\xff", "html", None).unwrap_err(), "Text must be encoded in UTF-8");
    }

    #[test]
    fn entities_are_checked_one_by_one() {
        let given = |text: &str| parse_text(b"text", "", Json::parse(text.as_bytes()).as_ref());
        for ignored in ["{}", "\"bold\"", "7", "[", "[]", r#"[{"type":"mention","offset":0,"length":1}]"#] {
            assert_eq!(given(ignored).unwrap().entities, Vec::<Value>::new(), "{ignored}");
        }
        for (text, words) in [
            ("[1]", "expected an Object"),
            (r#"[{"type":"bold"}]"#, "Can't find field \"offset\""),
            (r#"[{"type":"bold","offset":"x","length":1}]"#, "Field \"offset\" must be a valid Number"),
            (r#"[{"type":"","offset":0,"length":1}]"#, "Type is not specified"),
            (r#"[{"type":"nothing","offset":0,"length":1}]"#, "Unsupported type specified"),
            (r#"[{"type":"text_link","offset":0,"length":1}]"#, "Can't find field \"url\""),
        ] {
            assert_eq!(given(text).unwrap_err(), format!("Can't parse MessageEntity: {words}"), "{text}");
        }
        let far = given(r#"[{"type":"bold","offset":-1,"length":1}]"#).unwrap();
        assert_eq!(
            checked_text(far).unwrap_err().description,
            "Bad Request: receive an entity with incorrect offset -1"
        );
    }
}
