//! What a file looks like by its first bytes, and as what Telegram would deliver it. Nothing is decoded, and what cannot be
//! recognised passes as what it was sent as.

use crate::domain::ImageFormat;
use crate::sandbox::log::FileKind;

/// How many leading bytes are looked at.
pub const SIGNATURE_BYTES: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSignature {
    Image(ImageFormat),
    WebP,
    /// MPEG-4, which holds films, animations and music.
    Mpeg4,
    /// WebM or another Matroska.
    Matroska,
    Mp3,
    Ogg,
    /// FLAC or WAV: sound that Telegram does not play.
    OtherSound,
    /// Compressed with gzip, as animated stickers are.
    Gzip,
    /// Surely none of the above.
    Other,
    Unknown,
}

impl FileSignature {
    pub fn of(head: &[u8]) -> Self {
        match head {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] | [b'f', b'L', b'a', b'C', ..] => {
                Self::OtherSound
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Mpeg4,
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Self::Matroska,
            [b'I', b'D', b'3', ..] | [0xFF, 0xFB | 0xFA | 0xF3 | 0xF2, ..] => Self::Mp3,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [0x1F, 0x8B, ..] => Self::Gzip,
            [b'%', b'P', b'D', b'F', ..] | [b'P', b'K', 3, 4, ..] => Self::Other,
            _ => ImageFormat::sniff(head).map_or(Self::Unknown, Self::Image),
        }
    }

    /// As what Telegram delivers such a file when it is sent as `kind`: what does not fit becomes a document.
    pub fn sent_as(self, kind: FileKind) -> FileKind {
        let moving = matches!(self, Self::Mpeg4 | Self::Matroska);
        let gif = self == Self::Image(ImageFormat::Gif);
        match kind {
            FileKind::Photo | FileKind::Thumbnail => kind,
            _ if self == Self::Unknown => kind,
            FileKind::Document | FileKind::Animation | FileKind::Video if gif => FileKind::Animation,
            FileKind::Animation | FileKind::Video | FileKind::VideoNote if moving => kind,
            FileKind::Audio | FileKind::Voice if matches!(self, Self::Mp3 | Self::Mpeg4 | Self::Ogg) => kind,
            FileKind::Audio | FileKind::Voice if self == Self::OtherSound => FileKind::Audio,
            FileKind::Sticker if matches!(self, Self::WebP | Self::Gzip | Self::Matroska | Self::Image(_)) => kind,
            _ => FileKind::Document,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_what_they_are_and_what_is_not_known_is_believed() {
        let film = FileSignature::of(b"\0\0\0\x18ftypisom\0\0\0\0");
        let gif = FileSignature::of(b"GIF89a\x01\0\x01\0\0\0\0\0\0\0");
        let jpeg = FileSignature::of(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 0]);
        let wave = FileSignature::of(b"RIFF\0\0\0\0WAVEfmt ");
        let unknown = FileSignature::of(b"some bytes");
        for (signature, sent, becomes) in [
            (film, FileKind::Video, FileKind::Video),
            (film, FileKind::Animation, FileKind::Animation),
            (film, FileKind::Document, FileKind::Document),
            (film, FileKind::Audio, FileKind::Audio),
            (gif, FileKind::Document, FileKind::Animation),
            (gif, FileKind::Video, FileKind::Animation),
            (gif, FileKind::Photo, FileKind::Photo),
            (jpeg, FileKind::Video, FileKind::Document),
            (jpeg, FileKind::Voice, FileKind::Document),
            (jpeg, FileKind::Sticker, FileKind::Sticker),
            (wave, FileKind::Voice, FileKind::Audio),
            (FileSignature::of(b"OggS\0\x02"), FileKind::Voice, FileKind::Voice),
            (FileSignature::of(b"ID3\x04"), FileKind::Audio, FileKind::Audio),
            (FileSignature::of(b"%PDF-1.7"), FileKind::Animation, FileKind::Document),
            (unknown, FileKind::VideoNote, FileKind::VideoNote),
            (unknown, FileKind::Audio, FileKind::Audio),
        ] {
            assert_eq!(signature.sent_as(sent), becomes, "{signature:?} as {sent:?}");
        }
    }
}
