//! Cuts a text with its formatting into pieces that each fit into a message: in time and memory that are in proportion to the
//! text, whatever the formatting is.

use super::parameters::TEXT_LIMIT_UTF16;
use crate::domain::markup::{Formatted, utf16};
use serde_json::{Value, json};
use unicode_segmentation::GraphemeCursor;

/// Of how many entities of a message Telegram takes notice; it leaves out those that follow.
const MAX_ENTITIES: usize = 100;
/// How many bytes the entities of a message may have, of which addresses are the most: beyond some 9,500 Telegram refuses
/// the message (ENTITIES_TOO_LONG, issue 165 of tdlib/telegram-bot-api).
const MAX_ENTITY_BYTES: usize = 9_000;
/// How long a piece is at least that ends early so as to keep all its formatting, in UTF-16 units.
const MIN_FORMATTED_UTF16: usize = 256;

/// An entity of the whole text, from where it begins to where it ends in UTF-16 units.
struct Span {
    begin: usize,
    end: usize,
    /// In what it takes of [`MAX_ENTITY_BYTES`].
    bytes: usize,
    entity: Value,
}

/// How much of what a message may have of entities is used.
#[derive(Default)]
struct Load {
    entities: usize,
    bytes: usize,
}

impl Load {
    /// Adds one, if there is room for it.
    fn take(&mut self, span: &Span) -> bool {
        let has_room = self.entities < MAX_ENTITIES && self.bytes + span.bytes <= MAX_ENTITY_BYTES;
        if has_room {
            self.entities += 1;
            self.bytes += span.bytes;
        }
        has_room
    }
}

/// Cuts a text into a first piece of up to `limit` UTF-16 units, and others of up to what a message takes; at most
/// `max_pieces`, or `None`. A piece with more formatting than a message may have ends early; what is still too much is left
/// out, as Telegram would leave it out.
pub fn cut(whole: Formatted, limit: usize, max_pieces: usize) -> Option<Vec<Formatted>> {
    let text = whole.text.as_str();
    let mut waiting = spans(whole.entities).into_iter().peekable();
    let mut open: Vec<Span> = Vec::new();
    let (mut at, mut offset, mut limit, mut pieces) = (0, 0, limit, Vec::new());
    loop {
        let blank = text[at..].len() - text[at..].trim_start().len();
        offset += utf16(&text[at..at + blank]);
        at += blank;
        let mut load = Load::default();
        open.retain(|span| span.end > offset && load.take(span));
        let mut most = limit;
        while let Some(span) = waiting.next_if(|span| span.begin < offset + most) {
            if span.end <= offset {
                continue;
            }
            if load.take(&span) {
                open.push(span);
            } else if span.begin >= offset + MIN_FORMATTED_UTF16 {
                most = span.begin - offset;
                open.push(span);
            }
        }
        let end = at + cut_position(&text[at..], most);
        let piece = text[at..end].trim_end();
        if !piece.is_empty() || pieces.is_empty() {
            if pieces.len() == max_pieces {
                return None;
            }
            let entities = open.iter().filter_map(|span| within(span, offset, utf16(piece))).collect();
            pieces.push(Formatted { text: piece.to_owned(), entities });
        }
        if end >= text.len() {
            return Some(pieces);
        }
        offset += utf16(&text[at..end]);
        (at, limit) = (end, TEXT_LIMIT_UTF16);
    }
}

/// The entities in the order of their beginnings, each once: nested alike they say nothing new.
fn spans(entities: Vec<Value>) -> Vec<Span> {
    let number = |entity: &Value, name: &str| {
        entity.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    let text_bytes = |entity: &Value| -> usize {
        let texts = entity.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
        texts.map(str::len).sum()
    };
    let span = |entity: Value| {
        let begin = number(&entity, "offset");
        let end = begin.saturating_add(number(&entity, "length"));
        Span { begin, end, bytes: 16 + text_bytes(&entity), entity }
    };
    let mut spans: Vec<Span> = entities.into_iter().map(span).collect();
    fn kind(span: &Span) -> Option<&str> {
        span.entity.get("type").and_then(Value::as_str)
    }
    spans.sort_by(|a, b| (a.begin, b.end).cmp(&(b.begin, a.end)).then_with(|| kind(a).cmp(&kind(b))));
    spans.dedup_by(|next, span| next.entity == span.entity);
    spans
}

/// What a piece that begins at an offset and is so long has of an entity, measured from its own beginning.
fn within(span: &Span, offset: usize, length: usize) -> Option<Value> {
    let (begin, end) = (span.begin.max(offset), span.end.min(offset + length));
    if begin >= end {
        return None;
    }
    let mut entity = span.entity.clone();
    entity["offset"] = json!(begin - offset);
    entity["length"] = json!(end - begin);
    Some(entity)
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
