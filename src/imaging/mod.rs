//! What can be known about an image before Telegram sees it: that it is one, that it decodes to its end, and whether it
//! keeps the limits of a photo. And making a photo of what breaks them ([`fit()`]).
//!
//! [`verify()`] reads a file once, in pieces, and holds no picture: a legal photo may have 25 million pixels, which are
//! 75 to 100 MB once decoded, and image libraries hold all of them. So the structure of each format is walked here and its
//! compressed data is unpacked piece by piece and thrown away. A header that breaks the limits ends the reading at once, and
//! texts, colour profiles and thumbnails are passed over unopened, so that nothing in a file can make it cost more than
//! its pixels.
//!
//! All of this blocks and belongs on a thread for blocking work. Whoever starts it says by an [`Oversight`] how much memory it
//! may take, and may make it wait or end it at any time.

mod bmp;
mod fit;
mod geometry;
mod gif;
mod image_file;
mod jpeg;
mod limits;
mod lzw;
mod oversight;
mod png;
mod rejection;
mod scale;
#[cfg(test)]
mod tests;
mod tiff;
mod unpack;
mod verify;

pub use fit::{FittedPhoto, PhotoLimits, fit};
pub use limits::{DECODE_LIMIT_BYTES, DIMENSIONS_LIMIT, RATIO_LIMIT};
pub use oversight::{Checkpoint, Oversight};
pub use rejection::{ForeignFormat, ImageRejection, Stop};
pub use verify::{ImageInfo, sniff, verify, verify_whole};
