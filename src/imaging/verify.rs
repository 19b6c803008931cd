//! Reading an image to its end without holding its pixels.

use super::geometry::{GeometryCheck, check_photo, check_readable};
use super::image_file::ImageFile;
use super::oversight::Oversight;
use super::rejection::{ForeignFormat, ImageRejection};
use super::{bmp, gif, jpeg, png, tiff};
use crate::domain::{FileContent, ImageFormat};

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
///
/// # Errors
/// Beside what is wrong with the image, [`ImageRejection::NeedsMemory`] and [`ImageRejection::Stopped`], as `oversight` has
/// it.
pub fn verify(content: &FileContent, oversight: &Oversight) -> Result<ImageInfo, ImageRejection> {
    inspect(content, oversight, &check_photo)
}

/// Reads an image of any dimensions to its end, as far as that has an end: one of more pixels than
/// [`DECODE_LIMIT_BYTES`](super::DECODE_LIMIT_BYTES) is taken at its header's word.
pub fn verify_whole(content: &FileContent, oversight: &Oversight) -> Result<(), ImageRejection> {
    match inspect(content, oversight, &check_readable) {
        Ok(_) | Err(ImageRejection::TooLarge { .. }) => Ok(()),
        Err(rejection) => Err(rejection),
    }
}

/// The format, from the first bytes ([`ImageFormat::SNIFF_BYTES`] if there are as many).
pub fn sniff(head: &[u8]) -> Result<ImageFormat, ImageRejection> {
    ImageFormat::sniff(head).ok_or_else(|| ImageRejection::Format(ForeignFormat::of(head)))
}

/// Reads an image to its end if `check` takes its width and height.
pub fn inspect(
    content: &FileContent,
    oversight: &Oversight,
    check: &GeometryCheck,
) -> Result<ImageInfo, ImageRejection> {
    let open = || ImageFile::open(content, oversight);
    let mut file = open()?;
    let format = sniff(file.peek(ImageFormat::SNIFF_BYTES)?)?;
    let mut progressive = false;
    let (width, height) = match format {
        ImageFormat::Jpeg => jpeg::read(&mut file, check, &mut progressive),
        ImageFormat::Png => png::read(&mut file, check),
        ImageFormat::Gif => gif::read(&mut file, check),
        ImageFormat::Bmp => bmp::read(&mut file, check),
        ImageFormat::Tiff => tiff::read(&mut file, &open, check),
    }?;
    Ok(ImageInfo { format, width, height, progressive })
}
