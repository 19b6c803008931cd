//! What can be known about an image before Telegram sees it: that it is one, that it decodes to its end, and whether it
//! keeps the limits of a photo. And making a photo of what breaks them ([`fit()`]).
//!
//! [`verify`] reads a file once, in pieces, and holds no picture: a legal photo may have 25 million pixels, which are
//! 75 to 100 MB once decoded, and image libraries hold all of them. So the structure of each format is walked here and its
//! compressed data is unpacked piece by piece and thrown away. A header that breaks the limits ends the reading at once, and
//! texts, colour profiles and thumbnails are passed over unopened, so that nothing in a file can make it cost more than
//! its pixels.
//!
//! All of this blocks and belongs on a thread for blocking work. Jobs that need more than a few megabytes take turns,
//! whoever starts them.

mod bmp;
mod fit;
mod gif;
mod jpeg;
mod png;
mod scale;
mod source;
#[cfg(test)]
mod tests;
mod tiff;
mod unfit;
mod unpack;

pub use fit::{DECODE_LIMIT, Limits, Shrunk, fit};
pub use unfit::{Foreign, Unfit};

use crate::domain::ImageFormat;
use source::Source;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Width and height of a photo together, in pixels (Bot API, sendPhoto).
pub const DIMENSIONS_LIMIT: u64 = 10_000;
/// The longer side of a photo over the shorter (Bot API, sendPhoto).
pub const RATIO_LIMIT: u64 = 20;
/// A job that needs more memory than this, in bytes, waits until no other such job runs.
const LARGE: usize = 8 << 20;

/// What an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// The format of its bytes.
    pub format: ImageFormat,
    /// In pixels, as stored: an EXIF orientation is not applied.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Whether it is a progressive JPEG, which takes three times the memory to decode.
    pub progressive: bool,
}

/// Reads an image to its end; it is what Telegram takes as a photo, but for its size in bytes.
///
/// Takes time in proportion to the file and its pixels, and less than 1 MiB of memory; a progressive JPEG takes a bit for
/// each coefficient, at most 13 MB.
pub fn verify(path: &Path) -> Result<ImageInfo, Unfit> {
    inspect(path, &check_geometry)
}

/// Reads an image of any dimensions to its end, as far as that has an end: one of more pixels than [`DECODE_LIMIT`] is
/// taken at its header's word.
pub fn verify_whole(path: &Path) -> Result<(), Unfit> {
    let admit = |width: u32, height: u32| match u64::from(width) * u64::from(height) {
        0 => Err(Unfit::NoPixels),
        pixels if pixels > DECODE_LIMIT => Err(Unfit::TooLarge { width, height }),
        _ => Ok(()),
    };
    match inspect(path, &admit) {
        Ok(_) | Err(Unfit::TooLarge { .. }) => Ok(()),
        Err(unfit) => Err(unfit),
    }
}

/// The format, from the first bytes ([`ImageFormat::SNIFF_BYTES`] if there are as many).
pub fn sniff(head: &[u8]) -> Result<ImageFormat, Unfit> {
    ImageFormat::sniff(head).ok_or_else(|| Unfit::Format(Foreign::of(head)))
}

/// Reads an image to its end if `admit` takes its width and height.
fn inspect(path: &Path, admit: &Admit) -> Result<ImageInfo, Unfit> {
    let mut source = Source::open(path)?;
    let format = sniff(source.peek(ImageFormat::SNIFF_BYTES)?)?;
    let mut progressive = false;
    let (width, height) = match format {
        ImageFormat::Jpeg => jpeg::read(&mut source, admit, &mut progressive),
        ImageFormat::Png => png::read(&mut source, admit),
        ImageFormat::Gif => gif::read(&mut source, admit),
        ImageFormat::Bmp => bmp::read(&mut source, admit),
        ImageFormat::Tiff => tiff::read(&mut source, admit),
    }?;
    Ok(ImageInfo { format, width, height, progressive })
}

/// Decides, from width and height, whether the rest of an image is read.
type Admit = dyn Fn(u32, u32) -> Result<(), Unfit>;

fn check_geometry(width: u32, height: u32) -> Result<(), Unfit> {
    match u64::from(width) + u64::from(height) > DIMENSIONS_LIMIT && width.min(height) > 0 {
        true => Err(Unfit::Dimensions { width, height }),
        false => check_ratio(width, height),
    }
}

fn check_ratio(width: u32, height: u32) -> Result<(), Unfit> {
    match u64::from(width.min(height)) {
        0 => Err(Unfit::NoPixels),
        short if u64::from(width.max(height)) > RATIO_LIMIT * short => Err(Unfit::Ratio { width, height }),
        _ => Ok(()),
    }
}

/// The turn of a job that needs `bytes` of memory, if those are many.
fn turn(bytes: usize) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    (bytes > LARGE).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}
