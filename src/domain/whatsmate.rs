//! What WhatsMate's Telegram gateway takes, as its public API document has it: for the face that stands in for it, and
//! for bots that deliver through it.

use super::call::{Call, MediaKind, MediaSource};
use serde_json::{Map, Value};

/// The most characters of a text.
pub const TEXT_LIMIT: usize = 900;
/// The most characters of a caption.
pub const CAPTION_LIMIT: usize = 250;
/// The most characters of a file's name.
pub const FILENAME_LIMIT: usize = 80;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhatsMateKind {
    /// A text.
    Text,
    /// A picture.
    Image,
    /// Any file.
    Document,
    /// Music, say.
    Audio,
    /// A voice note.
    VoiceNote,
}

impl WhatsMateKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Text, Self::Image, Self::Document, Self::Audio, Self::VoiceNote];

    /// The name in paths, which is that of the field with the file, too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::VoiceNote => "voice_note",
        }
    }

    /// The kind of a name in a path.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What does the same at Telegram.
    pub fn method(self) -> &'static str {
        match self {
            Self::Text => "sendMessage",
            Self::Image => "sendPhoto",
            Self::Document => "sendDocument",
            Self::Audio => "sendAudio",
            Self::VoiceNote => "sendVoice",
        }
    }

    /// What does the same as a method of Telegram.
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == method)
    }

    /// The kind of its file at Telegram; a text has none.
    pub fn media(self) -> Option<MediaKind> {
        match self {
            Self::Text => None,
            Self::Image => Some(MediaKind::Photo),
            Self::Document => Some(MediaKind::Document),
            Self::Audio => Some(MediaKind::Audio),
            Self::VoiceNote => Some(MediaKind::Voice),
        }
    }

    /// How many MB its file may have as base64; which MB its document leaves open.
    pub fn megabytes(self) -> u64 {
        match self {
            Self::Text => 0,
            Self::Image => 6,
            Self::Document => 9,
            Self::Audio | Self::VoiceNote => 3,
        }
    }

    /// Whether it names its file.
    pub fn has_filename(self) -> bool {
        !matches!(self, Self::Text | Self::Image)
    }
}

/// How many characters so many bytes have as base64 with padding.
pub fn encoded_size(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// A file's name as the receiver sees it: without special characters, which is all but word characters, space, `-` and
/// `.`; `None` if nothing is left.
pub fn filename(given: &str) -> Option<String> {
    let fits = |c: &char| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '.');
    let plain: String = given.chars().filter(fits).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// What WhatsMate does not take of a call: the field to blame, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct WhatsMateRejection {
    /// The field.
    pub field: String,
    /// A sentence about it.
    pub detail: String,
}

/// Whether WhatsMate takes a call: one of five methods, a text or a caption, and one file whose bytes we hold.
pub fn check(call: &Call) -> Result<(), WhatsMateRejection> {
    let kind = check_params(&call.method, &call.params)?;
    match (kind.media(), call.media.as_slice()) {
        (None, []) => Ok(()),
        (Some(wanted), [media]) if media.kind == wanted => match media.source {
            MediaSource::Blob { size, .. } => check_size(kind, size),
            _ => Err(rejection(wanted.as_str(), "WhatsMate takes files by their bytes alone, not by URL or file_id.")),
        },
        _ => Err(rejection("media", format!("WhatsMate takes exactly one file with {}.", kind.method()))),
    }
}

/// Whether WhatsMate takes a method with these parameters, `chat_id` and the file aside.
pub fn check_params(method: &str, params: &Map<String, Value>) -> Result<WhatsMateKind, WhatsMateRejection> {
    let Some(kind) = WhatsMateKind::of_method(method) else {
        return Err(rejection("method", format!("WhatsMate can do nothing like {method}.")));
    };
    let (name, limit) = match kind {
        WhatsMateKind::Text => ("text", TEXT_LIMIT),
        _ => ("caption", CAPTION_LIMIT),
    };
    let file = kind.media().map(MediaKind::as_str);
    for (field, value) in params.iter().filter(|(field, _)| *field != "chat_id" && Some(field.as_str()) != file) {
        let Some(text) = value.as_str().filter(|_| field == name) else {
            return Err(rejection(field, format!("WhatsMate has nothing like {field} for {method}.")));
        };
        if text.chars().count() > limit {
            return Err(rejection(field, format!("WhatsMate takes a {name} of at most {limit} characters.")));
        }
    }
    Ok(kind)
}

/// Whether WhatsMate takes a file of so many bytes: in MB of a million, to be on the safe side.
pub fn check_size(kind: WhatsMateKind, bytes: u64) -> Result<(), WhatsMateRejection> {
    if encoded_size(bytes) <= kind.megabytes() * 1_000_000 {
        return Ok(());
    }
    let (name, limit) = (kind.as_str(), kind.megabytes());
    let field = kind.media().map_or(name, MediaKind::as_str);
    Err(rejection(
        field,
        format!("WhatsMate takes {limit} MB of base64 for {name}, which this file of {bytes} bytes exceeds."),
    ))
}

fn rejection(field: &str, detail: impl Into<String>) -> WhatsMateRejection {
    WhatsMateRejection { field: field.to_owned(), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Media, Sha256};
    use serde_json::json;

    fn call(method: &str, params: Value, sizes: &[u64]) -> Call {
        let Value::Object(params) = params else { panic!("an object") };
        let kind = WhatsMateKind::of_method(method).and_then(WhatsMateKind::media).unwrap_or(MediaKind::Photo);
        let media = sizes.iter().map(|size| Media {
            field: kind.as_str().into(),
            kind,
            source: MediaSource::Blob { sha256: Sha256::of(b""), size: *size },
            filename: String::new(),
        });
        Call { method: method.into(), params, media: media.collect() }
    }

    #[test]
    fn what_whatsmate_takes_passes_and_everything_else_is_named() {
        let long = |count: usize| "ü".repeat(count);
        for good in [
            call("sendMessage", json!({"text": long(900)}), &[]),
            call("sendPhoto", json!({"caption": long(250), "chat_id": 1}), &[4_500_000]),
            call("sendDocument", json!({}), &[6_750_000]),
            call("sendAudio", json!({}), &[2_250_000]),
            call("sendVoice", json!({}), &[1]),
        ] {
            assert_eq!(check(&good), Ok(()), "{}", good.method);
        }
        let url = Media {
            source: MediaSource::Url("https://x.y".into()),
            ..call("sendPhoto", json!({}), &[1]).media.remove(0)
        };
        for (bad, field) in [
            (call("sendMessage", json!({"text": long(901)}), &[]), "text"),
            (call("sendMessage", json!({"text": "x", "parse_mode": "HTML"}), &[]), "parse_mode"),
            (call("sendMessage", json!({"text": "x"}), &[1]), "media"),
            (call("sendPhoto", json!({"caption": long(251)}), &[1]), "caption"),
            (call("sendPhoto", json!({"caption": 5}), &[1]), "caption"),
            (call("sendPhoto", json!({}), &[4_500_001]), "photo"),
            (call("sendPhoto", json!({}), &[]), "media"),
            (call("sendVoice", json!({}), &[2_250_001]), "voice"),
            (call("sendMediaGroup", json!({}), &[1, 1]), "method"),
            (Call { media: vec![url], ..call("sendPhoto", json!({}), &[]) }, "photo"),
        ] {
            assert_eq!(check(&bad).unwrap_err().field, field, "{}", bad.method);
        }
    }

    #[test]
    fn file_names_lose_their_special_characters() {
        for (given, seen) in [
            ("report 2024-05.pdf", Some("report 2024-05.pdf")),
            ("../etc/pass*wd?", Some("..etcpasswd")),
            ("Übersicht_1.png", Some("Übersicht_1.png")),
            ("\"<>|", None),
            (" ", None),
        ] {
            assert_eq!(filename(given).as_deref(), seen, "{given}");
        }
    }

    #[test]
    fn base64_has_four_characters_for_every_three_bytes_begun() {
        assert_eq!([0, 1, 3, 4].map(encoded_size), [0, 4, 4, 8]);
    }
}
