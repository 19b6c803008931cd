//! Splits long captions and texts at paragraphs, lines or words, with their formatting; the rest is sent in replies.

use super::parameters::{CAPTION_LIMIT_UTF16, MARKUP_LIMIT_BYTES, TEXT_LIMIT_UTF16};
use crate::domain::markup::{Formatted, utf16};
use crate::domain::{Call, FollowUp, NotificationId};
use crate::intake::rejection::{ProblemCode, Rejection};
use serde_json::{Map, Value, json};
use unicode_segmentation::GraphemeCursor;

/// The parameters that a reply takes over from the message that it continues.
const INHERITED_PARAMETERS: [&str; 6] = [
    "business_connection_id",
    "message_thread_id",
    "direct_messages_topic_id",
    "disable_notification",
    "protect_content",
    "allow_paid_broadcast",
];

/// The names of a text and of its entities, and how long the text may be in UTF-16 units.
struct TextField {
    text: &'static str,
    entities: &'static str,
    limit: usize,
}

const CAPTION: TextField = TextField { text: "caption", entities: "caption_entities", limit: CAPTION_LIMIT_UTF16 };
const TEXT: TextField = TextField { text: "text", entities: "entities", limit: TEXT_LIMIT_UTF16 };

/// Shortens the texts of a call to what Telegram takes, and returns the rest of them as calls that follow, whose ids
/// [`FollowUp::numbered`] makes of the notification's own when that is accepted.
pub fn split(params: &mut Map<String, Value>) -> Result<Vec<FollowUp>, Rejection> {
    let mut rest = Vec::new();
    for field in [CAPTION, TEXT] {
        rest.extend(shorten(params, &field)?);
    }
    if let Some(Value::Array(items)) = params.get_mut("media") {
        for (number, item) in items.iter_mut().enumerate() {
            let Value::Object(item) = item else { continue };
            rest.extend(shorten(item, &CAPTION).map_err(|rejection| rejection.within(&format!("album[{number}].")))?);
        }
    }
    let common: Map<String, Value> =
        INHERITED_PARAMETERS.iter().filter_map(|name| Some(((*name).to_owned(), params.get(*name)?.clone()))).collect();
    Ok(rest.into_iter().map(|piece| follow_up(piece, common.clone())).collect())
}

fn follow_up(piece: Formatted, mut params: Map<String, Value>) -> FollowUp {
    params.insert("text".to_owned(), piece.text.into());
    if !piece.entities.is_empty() {
        params.insert("entities".to_owned(), piece.entities.into());
    }
    let call = Call { method: "sendMessage".to_owned(), params, media: Vec::new() };
    FollowUp { id: NotificationId::from_number(0), call }
}

/// Shortens one text, if it is there and too long, and returns the rest in pieces.
fn shorten(params: &mut Map<String, Value>, field: &TextField) -> Result<Vec<Formatted>, Rejection> {
    let Some(text) = params.get(field.text).and_then(Value::as_str) else { return Ok(Vec::new()) };
    // Parsing markup only ever makes a text shorter.
    if utf16(text) <= field.limit && text.len() <= MARKUP_LIMIT_BYTES {
        return Ok(Vec::new());
    }
    let mode = params.get("parse_mode").and_then(Value::as_str);
    let whole = match mode.and_then(|mode| Formatted::parse(text, mode)) {
        Some(parsed) => parsed.map_err(|why| {
            let detail = format!("To be split, the {} must be read first, and Telegram would not: {why}.", field.text);
            Rejection::field(ProblemCode::InvalidMarkup, field.text, detail)
        })?,
        None => {
            let entities = params.get(field.entities).and_then(Value::as_array).cloned().unwrap_or_default();
            Formatted { text: text.to_owned(), entities }
        }
    };
    if utf16(&whole.text) <= field.limit && text.len() <= MARKUP_LIMIT_BYTES {
        return Ok(Vec::new());
    }
    let (first, rest) = cut(&whole, field.limit);
    params.remove("parse_mode");
    params.insert(field.text.to_owned(), first.text.into());
    params.remove(field.entities);
    if !first.entities.is_empty() {
        params.insert(field.entities.to_owned(), first.entities.into());
    }
    Ok(rest)
}

/// Cuts a text into a first piece of up to `limit` UTF-16 units, and others of up to what a message takes.
fn cut(whole: &Formatted, limit: usize) -> (Formatted, Vec<Formatted>) {
    let text = whole.text.as_str();
    let (mut at, mut limit, mut pieces) = (0, limit, Vec::new());
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let end = at + cut_position(&text[at..], limit);
        let piece = text[at..end].trim_end();
        if !piece.is_empty() || pieces.is_empty() {
            pieces
                .push(Formatted { text: piece.to_owned(), entities: within(whole, utf16(&text[..at]), utf16(piece)) });
        }
        if end >= text.len() {
            break;
        }
        (at, limit) = (end, TEXT_LIMIT_UTF16);
    }
    let first = pieces.remove(0);
    (first, pieces)
}

/// Where to end a piece, in bytes: the whole if it fits, else after a paragraph, a line or a word in its second half, else
/// after any word, else between two characters.
fn cut_position(text: &str, limit: usize) -> usize {
    let mut units = 0;
    let fits = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > limit
    });
    let Some((most, next)) = fits else { return text.len() };
    let head = &text[..most];
    let breaks = [head.rfind("\n\n"), head.rfind('\n'), word_end(head, next)];
    let late = breaks.into_iter().flatten().find(|at| *at >= most / 2);
    late.or(breaks[2]).or(breaks[1]).filter(|at| *at > 0).unwrap_or_else(|| grapheme_start(text, most))
}

/// The last place at which a word ends: before white space, also before that which follows the head.
fn word_end(head: &str, next: char) -> Option<usize> {
    if next.is_whitespace() { Some(head.len()) } else { head.rfind(char::is_whitespace) }
}

/// Goes back from a place within a grapheme cluster (a letter with its marks, a joined emoji, a flag) to its beginning. One
/// that fills the whole piece is cut all the same.
fn grapheme_start(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    let start = match cursor.is_boundary(text, 0) {
        Ok(true) => Some(at),
        _ => cursor.prev_boundary(text, 0).ok().flatten(),
    };
    start.filter(|start| *start > 0).unwrap_or(at)
}

/// The entities of a piece that begins at an offset and is so long, measured from its own beginning.
fn within(whole: &Formatted, offset: usize, length: usize) -> Vec<Value> {
    let number = |entity: &Value, name: &str| {
        entity.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    let cut = whole.entities.iter().filter_map(|entity| {
        let begin = number(entity, "offset");
        let end = begin.saturating_add(number(entity, "length")).min(offset + length);
        let begin = begin.max(offset);
        let mut entity = entity.clone();
        (begin < end).then(|| {
            entity["offset"] = json!(begin - offset);
            entity["length"] = json!(end - begin);
            entity
        })
    });
    cut.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(params: Value) -> (Map<String, Value>, Vec<Map<String, Value>>) {
        let Value::Object(mut params) = params else { panic!("an object") };
        let rest = split(&mut params).unwrap();
        (params, rest.into_iter().map(|next| next.call.params).collect())
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        for params in [
            json!({"caption": "x".repeat(1024)}),
            json!({"caption": format!("<b>{}</b>", "x".repeat(1000)), "parse_mode": "HTML"}),
            json!({"text": "x".repeat(4096)}),
            json!({}),
        ] {
            let (left, rest) = pieces(params.clone());
            assert_eq!((Value::Object(left), rest), (params, Vec::new()));
        }
    }

    #[test]
    fn a_text_is_cut_at_a_paragraph_a_line_a_word_or_a_character() {
        let text = |parts: &[(&str, usize)]| parts.iter().map(|(part, times)| part.repeat(*times)).collect::<String>();
        for (given, first, second) in [
            (
                text(&[("a ", 300), ("\n\n", 1), ("b ", 300)]),
                text(&[("a ", 299), ("a", 1)]),
                text(&[("b ", 299), ("b", 1)]),
            ),
            (
                text(&[("a ", 400), ("\n", 1), ("b ", 300)]),
                text(&[("a ", 399), ("a", 1)]),
                text(&[("b ", 299), ("b", 1)]),
            ),
            (text(&[("\n\n", 1), ("ab ", 400)]), text(&[("ab ", 340), ("ab", 1)]), text(&[("ab ", 58), ("ab", 1)])),
            (text(&[("a", 1024), (" ", 3), ("b", 5)]), "a".repeat(1024), "b".repeat(5)),
            (text(&[("a", 1100)]), "a".repeat(1024), "a".repeat(76)),
            (text(&[("\u{1F408}", 600)]), "\u{1F408}".repeat(512), "\u{1F408}".repeat(88)),
            (text(&[("a", 1023), ("e\u{301}", 10)]), "a".repeat(1023), "e\u{301}".repeat(10)),
            (
                text(&[("a", 1020), ("\u{1F468}\u{200D}\u{1F469}", 1)]),
                "a".repeat(1020),
                "\u{1F468}\u{200D}\u{1F469}".to_owned(),
            ),
            (text(&[("a", 1022), ("\u{1F1E9}\u{1F1EA}", 3)]), "a".repeat(1022), "\u{1F1E9}\u{1F1EA}".repeat(3)),
        ] {
            let (left, rest) = pieces(json!({"caption": given}));
            assert_eq!((&left["caption"], &rest[0]["text"]), (&json!(first), &json!(second)));
        }
    }

    #[test]
    fn formatting_goes_on_in_the_next_piece() {
        let caption = format!("<b>{}</b> <a href=\"https://e.org\">link</a>", "word ".repeat(300).trim_end());
        let (left, rest) =
            pieces(json!({"caption": caption, "parse_mode": "HTML", "message_thread_id": 7, "has_spoiler": true}));
        assert!(!left.contains_key("parse_mode"));
        assert_eq!(left["caption_entities"], json!([{"type": "bold", "offset": 0, "length": 1024}]));
        let wanted = json!({
            "text": format!("{} link", "word ".repeat(95).trim_end()), "message_thread_id": 7,
            "entities": [
                {"type": "bold", "offset": 0, "length": 474},
                {"type": "text_link", "offset": 475, "length": 4, "url": "https://e.org"},
            ],
        });
        assert_eq!(rest, [wanted.as_object().unwrap().clone()]);
    }

    #[test]
    fn nothing_is_lost_but_white_space_and_nothing_is_too_long() {
        let words: Vec<String> = (0..9000).map(|n| format!("w{n}{}", ["", "\n", "\n\n"][n % 3])).collect();
        let given = words.join(" ");
        let (left, rest) = pieces(json!({"caption": given}));
        let texts: Vec<&str> = std::iter::once(&left["caption"])
            .chain(rest.iter().map(|r| &r["text"]))
            .map(|t| t.as_str().unwrap())
            .collect();
        assert!(utf16(texts[0]) <= 1024 && texts[1..].iter().all(|text| utf16(text) <= 4096));
        let all = texts.join(" ");
        assert!(all.split_whitespace().eq(given.split_whitespace()));
    }

    #[test]
    fn markup_that_cannot_be_read_cannot_be_split() {
        let mut params = json!({"caption": "<b>".repeat(400), "parse_mode": "HTML"}).as_object().unwrap().clone();
        assert_eq!(split(&mut params).unwrap_err().code, ProblemCode::InvalidMarkup);
    }

    #[test]
    fn captions_of_an_album_are_split_one_by_one() {
        let (left, rest) = pieces(json!({"media": [{"caption": "a".repeat(1025)}, {"caption": "b".repeat(1026)}]}));
        assert_eq!(left["media"][1]["caption"], "b".repeat(1024));
        assert_eq!(rest.iter().map(|r| r["text"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "bb"]);
    }
}
