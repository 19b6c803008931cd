//! Why an image is no photo.

use super::limits::{DECODE_LIMIT_BYTES, DIMENSIONS_LIMIT, RATIO_LIMIT};
use std::io;

/// Why an image is not what Telegram takes as a photo, as a sentence for whoever sent it.
#[derive(Debug, thiserror::Error)]
pub enum ImageRejection {
    /// The first bytes are those of something else.
    #[error("{}", .0.advice())]
    Format(ForeignFormat),
    /// The header claims a width or height of 0.
    #[error("The image has no pixels: its width or height is 0. Was it made from an empty plot or frame?")]
    NoPixels,
    /// The file ends before its picture does.
    #[error("The image is cut off: it ends before its picture does. Was it read while it was still being written?")]
    Truncated,
    /// The file contradicts itself.
    #[error("The image is damaged: {0}. Make it anew, or send it again if it was damaged on its way.")]
    Damaged(&'static str),
    /// A variety that viewers do not show either.
    #[error(
        "The image is {0}, which hardly anything can show. Convert it to a plain JPEG or PNG, or send it as a document."
    )]
    Unsupported(&'static str),
    /// Width and height together break the limit.
    #[error(
        "The image is {width} x {height}; width and height together may be {DIMENSIONS_LIMIT}. Scale it down, or send it \
         as a document."
    )]
    Dimensions {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// It is too long and narrow, which scaling does not change.
    #[error(
        "The image is {width} x {height}; one side may be {RATIO_LIMIT} times the other. Crop or pad it, or send it as a \
         document."
    )]
    Ratio {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Decoding it to scale it down would take more memory than is given to it.
    #[error(
        "The image is {width} x {height}: to scale it down would take more than {} MiB of memory. Scale it down before, \
         or send it as a document.",
        DECODE_LIMIT_BYTES >> 20
    )]
    TooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Reading it takes more memory than there is for it now: it can be read once that has been set aside.
    #[error("The image takes more memory to read than was set aside for it.")]
    NeedsMemory,
    /// It was not read to its end.
    #[error("{}", .0.advice())]
    Stopped(Stop),
    /// The file cannot be read or written; nothing is said about the image.
    #[error("the file with the image: {0}")]
    File(#[from] io::Error),
}

/// Why the reading of an image ends before it has come to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nobody wants to know any more.
    Unwanted,
    /// It has taken more time than there is for it.
    TooLong,
}

impl Stop {
    fn advice(self) -> &'static str {
        match self {
            Self::Unwanted => "The image was not read to its end, since nobody waits for it any more.",
            Self::TooLong => {
                "The image takes far longer to read than its size explains. Save it again as a plain JPEG or PNG."
            }
        }
    }
}

/// What is not taken as a photo but often sent as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignFormat {
    /// No bytes at all.
    Empty,
    /// WebP.
    WebP,
    /// HEIC, AVIF or a video: a box of type `ftyp` comes first.
    Boxes,
    /// SVG, XML or HTML.
    Markup,
    /// PDF.
    Pdf,
    /// Nothing that is known.
    Unknown,
}

impl ForeignFormat {
    /// What begins with these bytes.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [] => Self::Empty,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Boxes,
            [b'<', ..] | [0xEF, 0xBB, 0xBF, b'<', ..] => Self::Markup,
            [b'%', b'P', b'D', b'F', ..] => Self::Pdf,
            _ => Self::Unknown,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Empty => "The image is empty: it has no bytes. Was the file read to its end before it was sent?",
            Self::WebP => {
                "This is WebP, which Telegram does not take as a photo. Convert it to JPEG or PNG, or send it as a \
                 document."
            }
            Self::Boxes => {
                "This is HEIC, AVIF or a video, which Telegram does not take as a photo. Convert it to JPEG or PNG, or \
                 send it as a document."
            }
            Self::Markup => {
                "This is SVG, XML or HTML, which is not a picture yet. Render it to PNG, or send it as a document."
            }
            Self::Pdf => "This is a PDF. Render the page to PNG, or send it as a document.",
            Self::Unknown => {
                "These bytes are no image that Telegram takes as a photo: JPEG, PNG, GIF, BMP or TIFF. Convert it to one of \
                 these, or send it as a document."
            }
        }
    }
}
