//! Which images Telegram takes as a photo, told by their bytes and not by their names.

/// An image format that `sendPhoto` takes (TDLib).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// GIF; as a photo Telegram shows its first frame.
    Gif,
    /// BMP.
    Bmp,
    /// TIFF.
    Tiff,
}

impl ImageFormat {
    /// How many leading bytes [`ImageFormat::sniff`] wants to see.
    pub const SNIFF_BYTES: usize = 12;

    /// The format, from the first bytes of the file.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        match head {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'B', b'M', ..] if head.len() >= Self::SNIFF_BYTES => Some(Self::Bmp),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Self::Tiff),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
        }
    }

    /// A file name whose extension Telegram accepts for this format.
    pub fn filename(self) -> &'static str {
        match self {
            Self::Jpeg => "photo.jpg",
            Self::Png => "photo.png",
            Self::Gif => "photo.gif",
            Self::Bmp => "photo.bmp",
            Self::Tiff => "photo.tif",
        }
    }
}
