//! Splits long captions and texts at paragraphs, lines or words, with their formatting; the rest is sent in replies.

use super::parameters::{CAPTION_LIMIT_UTF16, MARKUP_LIMIT_BYTES, TEXT_LIMIT_UTF16};
use super::text_pieces::cut;
use crate::domain::markup::{Formatted, utf16};
use crate::domain::{Call, FollowUp, NotificationId};
use crate::intake::rejection::{ProblemCode, Rejection};
use serde_json::{Map, Value};

/// How many messages one request may become.
const MAX_MESSAGES: usize = 50;
/// How many bytes what follows may have, all together, as it is stored and travels to the courier.
const FOLLOW_UPS_LIMIT_BYTES: usize = 256 * 1024;

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
    let rest: Vec<FollowUp> = rest.into_iter().map(|piece| follow_up(piece, common.clone())).collect();
    let bytes: usize = rest.iter().map(|next| next.call.stored_bytes()).sum();
    if rest.len() >= MAX_MESSAGES || bytes > FOLLOW_UPS_LIMIT_BYTES {
        return Err(too_much(if params.contains_key(TEXT.text) { TEXT.text } else { CAPTION.text }));
    }
    Ok(rest)
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
    let mut pieces = cut(whole, field.limit, MAX_MESSAGES).ok_or_else(|| too_much(field.text))?;
    let first = pieces.remove(0);
    params.remove("parse_mode");
    params.insert(field.text.to_owned(), first.text.into());
    params.remove(field.entities);
    if !first.entities.is_empty() {
        params.insert(field.entities.to_owned(), first.entities.into());
    }
    Ok(pieces)
}

fn too_much(field: &str) -> Rejection {
    let detail = format!(
        "The {field} would become more than {MAX_MESSAGES} messages, or replies of more than {FOLLOW_UPS_LIMIT_BYTES} bytes \
         with their formatting. Send it as a document, or shorten it."
    );
    let code = if field == TEXT.text { ProblemCode::TextTooLong } else { ProblemCode::CaptionTooLong };
    Rejection::field(code, field, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn nested_alike_tags_count_once_and_a_piece_has_no_more_formatting_than_a_message_may_have() {
        let (open, close) = ("<b>".repeat(8_000), "</b>".repeat(8_000));
        let (left, rest) =
            pieces(json!({"text": format!("{open}{}{close}", "x ".repeat(30_000)), "parse_mode": "HTML"}));
        assert_eq!((&left["entities"], rest.len()), (&json!([{"type": "bold", "offset": 0, "length": 4095}]), 14));
        let words: String = (0..2_000).map(|n| format!("<b>w{n}</b> ")).collect();
        let (left, rest) = pieces(json!({"text": words, "parse_mode": "HTML"}));
        let entities = |piece: &Map<String, Value>| piece["entities"].as_array().unwrap().len();
        let each: Vec<usize> = std::iter::once(&left).chain(&rest).map(entities).collect();
        assert!(each.iter().all(|count| *count <= 100), "{each:?}");
        assert_eq!(each.iter().sum::<usize>(), 2_000, "none is lost");
    }

    #[test]
    fn addresses_count_by_their_bytes_and_crowded_formatting_is_left_out() {
        let links: String = (0..80)
            .map(|n| format!("<a href=\"https://e.org/{}{n}\">word {n}</a> and so on ", "x".repeat(300)))
            .collect();
        let (left, rest) = pieces(json!({"caption": links, "parse_mode": "HTML"}));
        let bytes = |piece: &Map<String, Value>, name: &str| piece[name].to_string().len();
        assert!(
            bytes(&left, "caption_entities") < 11_000 && rest.iter().all(|piece| bytes(piece, "entities") < 11_000)
        );
        let links = |piece: &Map<String, Value>, name: &str| piece[name].as_array().unwrap().len();
        assert_eq!(
            links(&left, "caption_entities") + rest.iter().map(|piece| links(piece, "entities")).sum::<usize>(),
            80
        );
        let crowded: String = (0..5_000).map(|_| "<b>x</b>").collect();
        let (left, rest) = pieces(json!({"text": crowded, "parse_mode": "HTML"}));
        let count = rest.len() + 1;
        assert!(count <= 5_000 / 256 + 1 && left["entities"].as_array().unwrap().len() == 100, "{count}");
    }

    #[test]
    fn there_is_an_end_to_the_messages_and_their_bytes() {
        for text in ["x".repeat(50 * 4096 + 1), "\u{1F408}".repeat(70_000)] {
            let mut params = json!({"text": text}).as_object().unwrap().clone();
            assert_eq!(split(&mut params).unwrap_err().code, ProblemCode::TextTooLong);
        }
    }

    #[test]
    fn captions_of_an_album_are_split_one_by_one() {
        let (left, rest) = pieces(json!({"media": [{"caption": "a".repeat(1025)}, {"caption": "b".repeat(1026)}]}));
        assert_eq!(left["media"][1]["caption"], "b".repeat(1024));
        assert_eq!(rest.iter().map(|r| r["text"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "bb"]);
    }
}
