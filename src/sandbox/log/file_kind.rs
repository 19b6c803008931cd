//! The kinds of files that Telegram tells apart.

use serde::{Deserialize, Serialize};

/// As what a file was sent, which its file_id is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A picture that Telegram shows and re-encodes.
    Photo,
    /// Kept byte for byte.
    Document,
    /// A GIF, or a film without sound.
    Animation,
    /// A film.
    Video,
    /// Music.
    Audio,
    /// A spoken message.
    Voice,
    /// A round spoken message with a picture.
    VideoNote,
    /// A sticker.
    Sticker,
    /// The small picture of another file; it can be downloaded and not sent.
    Thumbnail,
}

/// What is said of a kind: itself, its name in Telegram's errors (TDLib), the number that its file_ids begin with (TDLib),
/// its field in messages, its folder in downloads, the extension and the content type of a file without a name.
type FileKindRow = (FileKind, &'static str, u8, &'static str, &'static str, &'static str, &'static str);

const KINDS: [FileKindRow; 9] = [
    (FileKind::Photo, "Photo", 2, "photo", "photos", "jpg", "image/jpeg"),
    (FileKind::Document, "Document", 5, "document", "documents", "bin", "application/octet-stream"),
    (FileKind::Animation, "Animation", 10, "animation", "animations", "mp4", "video/mp4"),
    (FileKind::Video, "Video", 4, "video", "videos", "mp4", "video/mp4"),
    (FileKind::Audio, "Audio", 9, "audio", "music", "mp3", "audio/mpeg"),
    (FileKind::Voice, "VoiceNote", 3, "voice", "voice", "oga", "audio/ogg"),
    (FileKind::VideoNote, "VideoNote", 13, "video_note", "video_notes", "mp4", "video/mp4"),
    (FileKind::Sticker, "Sticker", 8, "sticker", "stickers", "webp", "image/webp"),
    (FileKind::Thumbnail, "Thumbnail", 0, "thumbnail", "thumbnails", "jpg", "image/jpeg"),
];

impl FileKind {
    fn row(self) -> &'static FileKindRow {
        KINDS.iter().find(|row| row.0 == self).expect("every kind has a row")
    }

    /// The kind that file_ids with this number are of.
    pub(crate) fn of_code(code: u8) -> Option<Self> {
        KINDS.iter().find(|row| row.2 == code).map(|row| row.0)
    }

    /// The kind of an `InputMedia`.
    pub(crate) fn of_input_media(name: &str) -> Option<Self> {
        let kind = KINDS.iter().find(|row| row.3 == name)?.0;
        [Self::Photo, Self::Document, Self::Animation, Self::Video, Self::Audio].contains(&kind).then_some(kind)
    }

    /// Its name in Telegram's errors.
    pub(crate) fn name(self) -> &'static str {
        self.row().1
    }

    /// The number that its file_ids begin with.
    pub(crate) fn code(self) -> u8 {
        self.row().2
    }

    /// The field of messages and the parameter that hold it.
    pub(crate) fn field(self) -> &'static str {
        self.row().3
    }

    /// Its folder in the paths of downloads.
    pub(crate) fn folder(self) -> &'static str {
        self.row().4
    }

    /// The extension of a file whose name is not known.
    pub(crate) fn extension(self) -> &'static str {
        self.row().5
    }

    /// The content type of a file whose name does not tell.
    pub(crate) fn mime_type(self) -> &'static str {
        self.row().6
    }

    /// Whether a file_id of the one may be sent as the other: photos only as photos, thumbnails as nothing, all else as all
    /// else (TDLib).
    pub(crate) fn passes_as(self, other: Self) -> bool {
        self != Self::Thumbnail && (self == Self::Photo) == (other == Self::Photo)
    }

    /// Whether it can be covered by a spoiler and stand below its caption (Bot API).
    pub(crate) fn is_visual(self) -> bool {
        matches!(self, Self::Photo | Self::Video | Self::Animation)
    }

    /// Whether it can have a caption (Bot API).
    pub(crate) fn takes_caption(self) -> bool {
        !matches!(self, Self::VideoNote | Self::Sticker)
    }

    /// Whether it can be sent with a thumbnail (Bot API).
    pub(crate) fn takes_thumbnail(self) -> bool {
        matches!(self, Self::Document | Self::Animation | Self::Video | Self::Audio | Self::VideoNote)
    }

    /// Whether it has a duration (Bot API).
    pub(crate) fn plays(self) -> bool {
        matches!(self, Self::Animation | Self::Video | Self::Audio | Self::Voice | Self::VideoNote)
    }

    /// Whether all items of an album must be of it if one is (TDLib).
    pub(crate) fn mixes_with_no_other(self) -> bool {
        matches!(self, Self::Document | Self::Audio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_and_its_own_number() {
        for (kind, code) in KINDS.iter().map(|row| (row.0, row.2)) {
            assert_eq!((kind.code(), FileKind::of_code(code)), (code, Some(kind)));
        }
        assert_eq!(FileKind::of_code(1), None);
        assert_eq!(FileKind::of_input_media("video"), Some(FileKind::Video));
        assert_eq!(FileKind::of_input_media("voice"), None);
        assert!(FileKind::Video.passes_as(FileKind::Document) && !FileKind::Video.passes_as(FileKind::Photo));
        assert!(!FileKind::Thumbnail.passes_as(FileKind::Photo) && !FileKind::Thumbnail.passes_as(FileKind::Document));
    }
}
