//! `parse_mode` Markdown, the old one: no nesting.

use super::formatted::{Formatted, PlainText, entity};

/// Takes the marks out, or says what is wrong with them.
pub fn parse(source: &str) -> Result<Formatted, String> {
    let mut text = PlainText::default();
    let mut entities = Vec::new();
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let position = source.len() - rest.len();
        let escaped = rest.strip_prefix('\\').and_then(|after| after.chars().next());
        if let Some(escaped) = escaped.filter(|c| "_*`[".contains(*c)) {
            text.push(escaped);
            rest = &rest[2..];
            continue;
        }
        let (start, end, kind) = match character {
            '*' => ("*", "*", "bold"),
            '_' => ("_", "_", "italic"),
            '`' if rest.starts_with("```") => ("```", "```", "pre"),
            '`' => ("`", "`", "code"),
            '[' => ("[", "]", "text_link"),
            _ => {
                text.push(character);
                rest = &rest[character.len_utf8()..];
                continue;
            }
        };
        let (inside, after) = rest[start.len()..]
            .split_once(end)
            .ok_or_else(|| format!("Can't find end of the entity starting at byte offset {position}"))?;
        let offset = text.units();
        text.push_str(inside);
        rest = after;
        if kind != "text_link" {
            entities.push(entity(kind, offset, &text, &[]));
        } else if let Some((url, after)) = rest.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
            entities.push(entity(kind, offset, &text, &[("url", url)]));
            rest = after;
        }
    }
    Ok(text.with_entities(entities))
}
