//! What a notification can send.

use crate::domain::MediaKind;

/// The one thing that a notification sends; the name of its field says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `sendPhoto`.
    Photo,
    /// `sendDocument`.
    Document,
    /// `sendAnimation`.
    Animation,
    /// `sendVideo`.
    Video,
    /// `sendAudio`.
    Audio,
    /// `sendVoice`.
    Voice,
    /// `sendMessage`.
    Text,
    /// `sendMediaGroup`.
    Album,
}

impl Content {
    /// All contents.
    pub const ALL: [Self; 8] =
        [Self::Photo, Self::Document, Self::Animation, Self::Video, Self::Audio, Self::Voice, Self::Text, Self::Album];

    /// The field that holds it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Album => "album",
            other => other.kind().as_str(),
        }
    }

    /// The Bot API method that sends it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Photo => "sendPhoto",
            Self::Document => "sendDocument",
            Self::Animation => "sendAnimation",
            Self::Video => "sendVideo",
            Self::Audio => "sendAudio",
            Self::Voice => "sendVoice",
            Self::Text => "sendMessage",
            Self::Album => "sendMediaGroup",
        }
    }

    /// The kind of its one file; [`MediaKind::Other`] if it is no single file.
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Photo => MediaKind::Photo,
            Self::Document => MediaKind::Document,
            Self::Animation => MediaKind::Animation,
            Self::Video => MediaKind::Video,
            Self::Audio => MediaKind::Audio,
            Self::Voice => MediaKind::Voice,
            Self::Text | Self::Album => MediaKind::Other,
        }
    }

    /// The content whose file is of a kind.
    pub fn of_kind(kind: MediaKind) -> Option<Self> {
        Self::ALL.into_iter().find(|content| content.is_file() && content.kind() == kind)
    }

    /// Whether it is one file.
    pub fn is_file(self) -> bool {
        self.kind() != MediaKind::Other
    }

    /// Its bit in a set of contents, such as those that have a parameter.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The names of all fields that hold a content, for the rejection of requests that have none or two.
pub fn choices() -> String {
    Content::ALL.map(Content::field).join(", ")
}
