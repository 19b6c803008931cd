//! `parse_mode` HTML.

use super::formatted::{Formatted, PlainText, entity};
use serde_json::Value;

struct OpenTag<'a> {
    tag: String,
    attributes: &'a str,
    offset: usize,
}

/// Takes the tags out, or says what is wrong with them.
pub fn parse(source: &str) -> Result<Formatted, String> {
    let mut text = PlainText::default();
    let mut entities = Vec::new();
    let mut open: Vec<OpenTag<'_>> = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['<', '&']) {
        let position = source.len() - rest.len() + at;
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let (character, length) = reference(rest);
            text.push(character);
            rest = &rest[length..];
        } else if let Some(end_tag) = rest.strip_prefix("</") {
            let Some(tag) = open.pop() else { return Err(format!("Unexpected end tag at byte offset {position}")) };
            let end = end_tag.find('>').ok_or_else(|| format!("Unclosed end tag at byte offset {position}"))?;
            let name = end_tag[..end].trim().to_ascii_lowercase();
            if !name.is_empty() && name != tag.tag {
                let expected = &tag.tag;
                return Err(format!(
                    "Unmatched end tag at byte offset {position}, expected \"</{expected}>\", found \"</{name}>\""
                ));
            }
            close(&tag, &text, &mut entities);
            rest = &end_tag[end + 1..];
        } else {
            let name_end = rest[1..].find(|c: char| c.is_whitespace() || c == '>').map_or(rest.len(), |end| end + 1);
            let tag = rest[1..name_end].to_ascii_lowercase();
            let end = rest.find('>');
            if !supported(&tag) {
                return Err(format!("Unsupported start tag \"{tag}\" at byte offset {position}"));
            }
            let end = end.ok_or_else(|| format!("Unclosed start tag at byte offset {position}"))?;
            open.push(OpenTag { tag, attributes: &rest[name_end..end], offset: text.units() });
            rest = &rest[end + 1..];
        }
    }
    text.push_str(rest);
    match open.last() {
        Some(tag) => Err(format!("Can't find end tag corresponding to start tag \"{}\"", tag.tag)),
        None => {
            let inline = entities.iter_mut().filter(|entity| entity["type"] == "code").filter_map(Value::as_object_mut);
            inline.for_each(|code| _ = code.remove("language"));
            Ok(text.with_entities(entities))
        }
    }
}

fn supported(tag: &str) -> bool {
    kind(tag).is_some() || ["a", "span", "tg-emoji"].contains(&tag)
}

fn kind(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "tg-spoiler" => "spoiler",
        "code" => "code",
        "pre" => "pre",
        "blockquote" => "blockquote",
        _ => return None,
    })
}

fn close(tag: &OpenTag<'_>, text: &PlainText, entities: &mut Vec<Value>) {
    match (tag.tag.as_str(), kind(&tag.tag)) {
        ("a", _) => {
            if let Some(url) = attribute(tag.attributes, "href") {
                entities.push(entity("text_link", tag.offset, text, &[("url", &url)]));
            }
        }
        ("span", _) if tag.attributes.contains("tg-spoiler") => {
            entities.push(entity("spoiler", tag.offset, text, &[]));
        }
        ("tg-emoji", _) => {
            if let Some(id) = attribute(tag.attributes, "emoji-id") {
                entities.push(entity("custom_emoji", tag.offset, text, &[("custom_emoji_id", &id)]));
            }
        }
        ("blockquote", _) if tag.attributes.contains("expandable") => {
            entities.push(entity("expandable_blockquote", tag.offset, text, &[]));
        }
        ("code", _) => {
            let class = attribute(tag.attributes, "class").unwrap_or_default();
            let language = class.strip_prefix("language-").map(|language| ("language", language));
            entities.push(entity("code", tag.offset, text, language.as_slice()));
        }
        ("pre", _) => {
            let mut block = entity("pre", tag.offset, text, &[]);
            // A block that is code as a whole has the code's language.
            if let Some(code) = entities.pop_if(|e| e["type"] == "code" && same_range(e, &block))
                && let Some(language) = code.get("language")
            {
                block["language"] = language.clone();
            }
            entities.push(block);
        }
        (_, Some(kind)) => entities.push(entity(kind, tag.offset, text, &[])),
        _ => {}
    }
}

fn same_range(one: &Value, other: &Value) -> bool {
    one["offset"] == other["offset"] && one["length"] == other["length"]
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let value = attributes.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start();
    let raw = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    let mut decoded = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        let (character, length) = reference(&rest[at..]);
        decoded.push(character);
        rest = &rest[at + length..];
    }
    Some(decoded + rest)
}

/// The character that a reference at the start of the text means, and the reference's length; a bare `&` is itself.
fn reference(text: &str) -> (char, usize) {
    for (name, character) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')] {
        if text.starts_with(name) {
            return (character, name.len());
        }
    }
    let numeric = || {
        let body = text.strip_prefix("&#")?;
        let end = body.find(';').filter(|end| *end <= 8)?;
        let code = match body[..end].strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => body[..end].parse().ok()?,
        };
        Some((char::from_u32(code).filter(|c| *c != '\0')?, end + 3))
    };
    numeric().unwrap_or(('&', 1))
}
