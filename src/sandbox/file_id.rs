//! file_ids that hold all that there is to know about the file, so that remembering them costs nothing: bound to one
//! bot, sealed against invention, and refused from the moment on at which the bot's are forgotten.

use super::message::{Kind, Media};
use crate::domain::Sha256;
use base64::{DecodeError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::Digest;

/// What makes one sandbox's file_ids unusable in another.
pub(super) type Secret = [u8; 32];

/// Real file_ids end with the version of their layout.
const VERSION: u8 = 4;
const LENGTH: usize = 76;
const SEALED: usize = LENGTH - 9;

/// What a file_id says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileId {
    pub bot: u64,
    /// How often the bot's file_ids had been forgotten when it was issued.
    pub epoch: u32,
    /// Which of the photo's sizes it names; all send the whole photo.
    pub size: u8,
    pub kind: Kind,
    pub elsewhere: bool,
    pub sha256: Sha256,
    pub bytes: u64,
    pub width: u16,
    pub height: u16,
    /// What tells it from other uploads of the same bytes, see [`Media::particulars`].
    pub particulars: u32,
}

/// Why a file_id is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Nothing that Telegram could have issued; the reason in its words.
    Unreadable(&'static str),
    /// Not issued here.
    Unknown,
}

impl FileId {
    /// The file_id of delivered media.
    pub fn of(media: &Media, bot: u64, epoch: u32, size: u8) -> Self {
        Self {
            bot,
            epoch,
            size,
            kind: media.kind,
            elsewhere: media.elsewhere,
            sha256: media.sha256,
            bytes: media.bytes,
            width: media.width,
            height: media.height,
            particulars: media.particulars(),
        }
    }

    /// Its text.
    pub fn encode(&self, secret: &Secret) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend([self.kind.code(), 0, 2, 2]);
        bytes.extend(self.bot.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend([self.size, u8::from(self.elsewhere), 0]);
        bytes.extend(self.width.to_be_bytes());
        bytes.extend(self.height.to_be_bytes());
        bytes.extend(self.bytes.to_be_bytes());
        bytes.extend(self.sha256.as_bytes());
        bytes.extend(self.particulars.to_be_bytes());
        bytes.extend(seal(&bytes, secret));
        bytes.push(VERSION);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads it back.
    pub fn decode(text: &str, secret: &Secret) -> Result<Self, Unusable> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|e| {
            Unusable::Unreadable(match e {
                DecodeError::InvalidLength(_) => "Wrong string length",
                DecodeError::InvalidByte(..) => "Wrong character in the string",
                _ => "Wrong padding in the string",
            })
        })?;
        if bytes.last() != Some(&VERSION) {
            return Err(Unusable::Unreadable("can't unserialize it. Wrong last symbol"));
        }
        let genuine = bytes.len() == LENGTH && bytes[SEALED..LENGTH - 1] == seal(&bytes[..SEALED], secret);
        let kind = Kind::of_code(bytes[0]).ok_or(Unusable::Unknown)?;
        if !genuine {
            return Err(Unusable::Unknown);
        }
        Ok(Self {
            bot: u64::from_be_bytes(array(&bytes[4..])),
            epoch: u32::from_be_bytes(array(&bytes[12..])),
            size: bytes[16],
            kind,
            elsewhere: bytes[17] == 1,
            width: u16::from_be_bytes(array(&bytes[19..])),
            height: u16::from_be_bytes(array(&bytes[21..])),
            bytes: u64::from_be_bytes(array(&bytes[23..])),
            sha256: Sha256::from_bytes(array(&bytes[31..])),
            particulars: u32::from_be_bytes(array(&bytes[63..])),
        })
    }
}

/// The name of a content for all bots: the same for the same bytes and size, good for nothing but comparing.
pub(super) fn unique_id(kind: Kind, sha256: &Sha256, size: u8) -> String {
    let class = if matches!(kind, Kind::Photo | Kind::Thumbnail) { 3 } else { 2 };
    let mut bytes = vec![1, 0, class];
    bytes.extend(&sha256.as_bytes()[..8]);
    bytes.push(size);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn seal(bytes: &[u8], secret: &Secret) -> [u8; 8] {
    let digest = sha2::Sha256::new().chain_update(secret).chain_update(bytes).finalize();
    array(&digest)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("the layout is of fixed length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bot: u64, kind: Kind) -> FileId {
        let sha256 = Sha256::of(b"picture");
        FileId {
            bot,
            epoch: 3,
            size: 2,
            kind,
            elsewhere: true,
            sha256,
            bytes: 77,
            width: 640,
            height: 480,
            particulars: 9,
        }
    }

    #[test]
    fn what_is_put_in_comes_out_and_looks_like_telegrams() {
        for kind in [Kind::Photo, Kind::Document, Kind::Animation, Kind::Voice, Kind::Thumbnail] {
            let text = id(1 << 54, kind).encode(&[1; 32]);
            assert_eq!(FileId::decode(&text, &[1; 32]).unwrap(), id(1 << 54, kind));
            assert!(!text.contains('.'));
        }
        assert!(id(1, Kind::Photo).encode(&[1; 32]).starts_with("AgACA"));
        assert!(id(1, Kind::Document).encode(&[1; 32]).starts_with("BQACA"));
        assert!(id(1, Kind::Video).encode(&[1; 32]).starts_with("BAACA"));
        assert!(id(1, Kind::Animation).encode(&[1; 32]).starts_with("CgACA"));
        assert_ne!(id(1, Kind::Photo).encode(&[1; 32]), id(2, Kind::Photo).encode(&[1; 32]));
    }

    #[test]
    fn what_was_not_issued_here_is_told_apart_from_what_cannot_be_read() {
        let text = id(1, Kind::Photo).encode(&[1; 32]);
        assert_eq!(FileId::decode(&text, &[2; 32]), Err(Unusable::Unknown), "another sandbox");
        let mut forged = text.clone();
        forged.replace_range(10..11, if &text[10..11] == "A" { "B" } else { "A" });
        assert_eq!(FileId::decode(&forged, &[1; 32]), Err(Unusable::Unknown));
        for bad in ["abcde", "a b!", "unknown", "AAAA"] {
            assert!(matches!(FileId::decode(bad, &[1; 32]), Err(Unusable::Unreadable(_))), "{bad}");
        }
    }
}
