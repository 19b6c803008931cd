//! What a file looks like by its first bytes, and as what Telegram would deliver it. Nothing is decoded, and what cannot be
//! recognised passes as what it was sent as.

use super::message::Kind;
use crate::domain::ImageFormat;

/// How many leading bytes are looked at.
pub(super) const BYTES: usize = 16;

/// What a file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
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

impl Look {
    /// Looks at the first bytes.
    pub fn at(head: &[u8]) -> Self {
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
    pub fn sent_as(self, kind: Kind) -> Kind {
        let moving = matches!(self, Self::Mpeg4 | Self::Matroska);
        let gif = self == Self::Image(ImageFormat::Gif);
        match kind {
            Kind::Photo | Kind::Thumbnail => kind,
            _ if self == Self::Unknown => kind,
            Kind::Document | Kind::Animation | Kind::Video if gif => Kind::Animation,
            Kind::Animation | Kind::Video | Kind::VideoNote if moving => kind,
            Kind::Audio | Kind::Voice if matches!(self, Self::Mp3 | Self::Mpeg4 | Self::Ogg) => kind,
            Kind::Audio | Kind::Voice if self == Self::OtherSound => Kind::Audio,
            Kind::Sticker if matches!(self, Self::WebP | Self::Gzip | Self::Matroska | Self::Image(_)) => kind,
            _ => Kind::Document,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_what_they_are_and_what_is_not_known_is_believed() {
        let film = Look::at(b"\0\0\0\x18ftypisom\0\0\0\0");
        let gif = Look::at(b"GIF89a\x01\0\x01\0\0\0\0\0\0\0");
        let jpeg = Look::at(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 0]);
        let wave = Look::at(b"RIFF\0\0\0\0WAVEfmt ");
        let nothing = Look::at(b"some bytes");
        for (look, sent, becomes) in [
            (film, Kind::Video, Kind::Video),
            (film, Kind::Animation, Kind::Animation),
            (film, Kind::Document, Kind::Document),
            (film, Kind::Audio, Kind::Audio),
            (gif, Kind::Document, Kind::Animation),
            (gif, Kind::Video, Kind::Animation),
            (gif, Kind::Photo, Kind::Photo),
            (jpeg, Kind::Video, Kind::Document),
            (jpeg, Kind::Voice, Kind::Document),
            (jpeg, Kind::Sticker, Kind::Sticker),
            (wave, Kind::Voice, Kind::Audio),
            (Look::at(b"OggS\0\x02"), Kind::Voice, Kind::Voice),
            (Look::at(b"ID3\x04"), Kind::Audio, Kind::Audio),
            (Look::at(b"%PDF-1.7"), Kind::Animation, Kind::Document),
            (nothing, Kind::VideoNote, Kind::VideoNote),
            (nothing, Kind::Audio, Kind::Audio),
        ] {
            assert_eq!(look.sent_as(sent), becomes, "{look:?} as {sent:?}");
        }
    }
}
