//! `parse_mode` MarkdownV2.

use super::formatted::{Formatted, PlainText, entity};

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Bold,
    Italic,
    Underline,
    Strikethrough,
    Spoiler,
    Code,
    Pre,
    TextUrl,
    CustomEmoji,
    BlockQuote,
}

impl Mark {
    /// Its name in Telegram's errors, and its type in entities.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Bold => ("Bold", "bold"),
            Self::Italic => ("Italic", "italic"),
            Self::Underline => ("Underline", "underline"),
            Self::Strikethrough => ("Strikethrough", "strikethrough"),
            Self::Spoiler => ("Spoiler", "spoiler"),
            Self::Code => ("Code", "code"),
            Self::Pre => ("Pre", "pre"),
            Self::TextUrl => ("TextUrl", "text_link"),
            Self::CustomEmoji => ("CustomEmoji", "custom_emoji"),
            Self::BlockQuote => ("BlockQuote", "blockquote"),
        }
    }

    /// What ends it.
    fn end(self) -> &'static str {
        match self {
            Self::Bold => "*",
            Self::Italic => "_",
            Self::Underline => "__",
            Self::Strikethrough => "~",
            Self::Spoiler => "||",
            Self::Code => "`",
            Self::Pre => "```",
            Self::TextUrl | Self::CustomEmoji => "]",
            Self::BlockQuote => "\n",
        }
    }
}

/// Longer marks first, since the shorter ones begin them.
const STARTS: [(&str, Mark); 9] = [
    ("__", Mark::Underline),
    ("||", Mark::Spoiler),
    ("```", Mark::Pre),
    ("![", Mark::CustomEmoji),
    ("*", Mark::Bold),
    ("_", Mark::Italic),
    ("~", Mark::Strikethrough),
    ("`", Mark::Code),
    ("[", Mark::TextUrl),
];
const RESERVED: &str = "_*[]()~`>#+-=|{}.!";

/// Takes the marks out, or says what is wrong with them.
pub fn parse(source: &str) -> Result<Formatted, String> {
    let mut text = PlainText::default();
    let mut entities = Vec::new();
    let mut open: Vec<(Mark, usize, usize)> = Vec::new();
    let mut language = None;
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let position = source.len() - rest.len();
        let inner = open.last().map(|(mark, ..)| *mark);
        let verbatim = matches!(inner, Some(Mark::Code | Mark::Pre));
        if character == '\\'
            && let Some(escaped) = rest[1..].chars().next().filter(|c| ('\x01'..='\x7e').contains(c))
        {
            text.push(escaped);
            rest = &rest[2..];
        } else if let Some(mark) = inner.filter(|mark| ends(*mark, rest)) {
            let (_, offset, _) = open.pop().expect("a mark is open");
            rest = &rest[mark.end().len()..];
            match mark {
                Mark::TextUrl | Mark::CustomEmoji => {
                    let (target, after) = target(rest);
                    rest = after;
                    let name = if mark == Mark::TextUrl { "url" } else { "custom_emoji_id" };
                    if let Some(target) = target {
                        entities.push(entity(mark.names().1, offset, &text, &[(name, target)]));
                    }
                }
                Mark::BlockQuote => {
                    if let Some(more) = rest.strip_prefix('>') {
                        open.push((mark, offset, position));
                        rest = more;
                    } else {
                        entities.push(entity(mark.names().1, offset, &text, &[]));
                    }
                    text.push('\n');
                }
                Mark::Pre => {
                    let language = language.take().map(|language| ("language", language));
                    entities.push(entity(mark.names().1, offset, &text, language.as_slice()));
                }
                _ => entities.push(entity(mark.names().1, offset, &text, &[])),
            }
        } else if let Some((start, mark)) = STARTS.into_iter().find(|(start, _)| !verbatim && rest.starts_with(start)) {
            open.push((mark, text.units(), position));
            rest = &rest[start.len()..];
            if mark == Mark::Pre {
                (language, rest) = block_language(rest);
            }
        } else if !verbatim && character == '>' && (position == 0 || source[..position].ends_with('\n')) {
            open.push((Mark::BlockQuote, text.units(), position));
            rest = &rest[1..];
        } else if !verbatim && RESERVED.contains(character) {
            return Err(format!("Character '{character}' is reserved and must be escaped with the preceding '\\'"));
        } else {
            text.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    while let Some((mark, offset, position)) = open.pop() {
        if mark != Mark::BlockQuote {
            return Err(format!("Can't find end of {} entity at byte offset {position}", mark.names().0));
        }
        entities.push(entity(mark.names().1, offset, &text, &[]));
    }
    Ok(text.with_entities(entities))
}

/// Whether a mark ends here: an underscore that is one of two belongs to an underline.
fn ends(mark: Mark, rest: &str) -> bool {
    rest.starts_with(mark.end()) && !(mark == Mark::Italic && rest.starts_with("__"))
}

/// Splits `(target)` off, if it is there.
fn target(rest: &str) -> (Option<&str>, &str) {
    let split = rest.strip_prefix('(').and_then(|inside| inside.split_once(')'));
    split.map_or((None, rest), |(target, after)| (Some(target), after))
}

/// The first word of a block, if a line end follows it, is the name of its language.
fn block_language(rest: &str) -> (Option<&str>, &str) {
    let end = rest.find(|c: char| c.is_whitespace() || c == '`').unwrap_or(rest.len());
    match rest[end..].strip_prefix('\n') {
        Some(code) => (Some(&rest[..end]).filter(|language| !language.is_empty()), code),
        None => (None, rest),
    }
}
