//! file_ids that hold all that there is to know about the file, so that none needs to be remembered: bound to one bot,
//! signed against invention, and refused from the moment on at which the bot's are forgotten.

use crate::domain::Sha256;
use crate::sandbox::log::{FileKind, SandboxMedia, SandboxThumbnail};
use base64::{DecodeError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::Digest;

/// What makes one sandbox's file_ids unusable in another.
pub type FileIdSecret = [u8; 32];

/// Real file_ids end with the version of their layout.
const VERSION: u8 = 4;
const LENGTH_BYTES: usize = 76;
const SIGNED_BYTES: usize = LENGTH_BYTES - 9;

#[derive(Clone, Debug, PartialEq)]
pub struct SandboxFileId {
    pub bot: u64,
    /// How often the bot's file_ids had been forgotten when it was issued.
    pub epoch: u32,
    /// Which of the photo's sizes it names; all send the whole photo.
    pub size: u8,
    pub kind: FileKind,
    pub elsewhere: bool,
    pub sha256: Sha256,
    pub bytes: u64,
    pub width: u16,
    pub height: u16,
    /// What tells it from other uploads of the same bytes.
    pub details_hash: u32,
}

#[derive(Clone, Copy)]
pub struct FileIdWriter<'a> {
    pub secret: &'a FileIdSecret,
    pub bot: u64,
    /// How often the bot's file_ids were forgotten.
    pub epoch: u32,
}

impl FileIdWriter<'_> {
    /// The file_id of delivered media, for one of a photo's sizes.
    pub fn write(self, media: &SandboxMedia, size: u8) -> String {
        let id = SandboxFileId {
            size,
            elsewhere: media.elsewhere,
            details_hash: media.details_hash(),
            ..self.id(media.kind, media.sha256, media.bytes, (media.width, media.height))
        };
        id.encode(self.secret)
    }

    pub fn write_thumbnail(self, thumbnail: &SandboxThumbnail) -> String {
        let SandboxThumbnail { sha256, bytes, width, height } = *thumbnail;
        self.id(FileKind::Thumbnail, sha256, bytes, (width, height)).encode(self.secret)
    }

    fn id(self, kind: FileKind, sha256: Sha256, bytes: u64, (width, height): (u16, u16)) -> SandboxFileId {
        let (bot, epoch) = (self.bot, self.epoch);
        SandboxFileId { bot, epoch, size: 0, kind, elsewhere: false, sha256, bytes, width, height, details_hash: 0 }
    }
}

/// Why a file_id cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileIdError {
    /// Nothing that Telegram could have issued; the reason in its words.
    Unreadable(&'static str),
    /// Not issued here.
    Unknown,
}

impl SandboxFileId {
    pub fn encode(&self, secret: &FileIdSecret) -> String {
        let mut bytes = Vec::with_capacity(LENGTH_BYTES);
        bytes.extend([self.kind.code(), 0, 2, 2]);
        bytes.extend(self.bot.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend([self.size, u8::from(self.elsewhere), 0]);
        bytes.extend(self.width.to_be_bytes());
        bytes.extend(self.height.to_be_bytes());
        bytes.extend(self.bytes.to_be_bytes());
        bytes.extend(self.sha256.as_bytes());
        bytes.extend(self.details_hash.to_be_bytes());
        bytes.extend(signature(&bytes, secret));
        bytes.push(VERSION);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn decode(text: &str, secret: &FileIdSecret) -> Result<Self, FileIdError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|e| {
            FileIdError::Unreadable(match e {
                DecodeError::InvalidLength(_) => "Wrong string length",
                DecodeError::InvalidByte(..) => "Wrong character in the string",
                _ => "Wrong padding in the string",
            })
        })?;
        if bytes.last() != Some(&VERSION) {
            return Err(FileIdError::Unreadable("can't unserialize it. Wrong last symbol"));
        }
        let genuine = bytes.len() == LENGTH_BYTES
            && bytes[SIGNED_BYTES..LENGTH_BYTES - 1] == signature(&bytes[..SIGNED_BYTES], secret);
        let kind = FileKind::of_code(bytes[0]).ok_or(FileIdError::Unknown)?;
        if !genuine {
            return Err(FileIdError::Unknown);
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
            details_hash: u32::from_be_bytes(array(&bytes[63..])),
        })
    }
}

/// The name of a content for all bots: the same for the same bytes and size, good for nothing but comparing.
pub fn unique_file_id(kind: FileKind, sha256: &Sha256, size: u8) -> String {
    let class = if matches!(kind, FileKind::Photo | FileKind::Thumbnail) { 3 } else { 2 };
    let mut bytes = vec![1, 0, class];
    bytes.extend(&sha256.as_bytes()[..8]);
    bytes.push(size);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn signature(bytes: &[u8], secret: &FileIdSecret) -> [u8; 8] {
    let digest = sha2::Sha256::new().chain_update(secret).chain_update(bytes).finalize();
    array(&digest)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("the layout is of fixed length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bot: u64, kind: FileKind) -> SandboxFileId {
        let sha256 = Sha256::of(b"picture");
        SandboxFileId {
            bot,
            epoch: 3,
            size: 2,
            kind,
            elsewhere: true,
            sha256,
            bytes: 77,
            width: 640,
            height: 480,
            details_hash: 9,
        }
    }

    #[test]
    fn what_is_put_in_comes_out_and_looks_like_telegrams() {
        for kind in [FileKind::Photo, FileKind::Document, FileKind::Animation, FileKind::Voice, FileKind::Thumbnail] {
            let text = id(1 << 54, kind).encode(&[1; 32]);
            assert_eq!(SandboxFileId::decode(&text, &[1; 32]).unwrap(), id(1 << 54, kind));
            assert!(!text.contains('.'));
        }
        assert!(id(1, FileKind::Photo).encode(&[1; 32]).starts_with("AgACA"));
        assert!(id(1, FileKind::Document).encode(&[1; 32]).starts_with("BQACA"));
        assert!(id(1, FileKind::Video).encode(&[1; 32]).starts_with("BAACA"));
        assert!(id(1, FileKind::Animation).encode(&[1; 32]).starts_with("CgACA"));
        assert_ne!(id(1, FileKind::Photo).encode(&[1; 32]), id(2, FileKind::Photo).encode(&[1; 32]));
    }

    #[test]
    fn what_was_not_issued_here_is_told_apart_from_what_cannot_be_read() {
        let text = id(1, FileKind::Photo).encode(&[1; 32]);
        assert_eq!(SandboxFileId::decode(&text, &[2; 32]), Err(FileIdError::Unknown), "another sandbox");
        let mut forged = text.clone();
        forged.replace_range(10..11, if &text[10..11] == "A" { "B" } else { "A" });
        assert_eq!(SandboxFileId::decode(&forged, &[1; 32]), Err(FileIdError::Unknown));
        for bad in ["abcde", "a b!", "unknown", "AAAA"] {
            assert!(matches!(SandboxFileId::decode(bad, &[1; 32]), Err(FileIdError::Unreadable(_))), "{bad}");
        }
    }
}
