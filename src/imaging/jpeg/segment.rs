//! Segments: a marker, a length, and what they hold.

use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;

pub const BAD_SEGMENT: ImageRejection = ImageRejection::Damaged("a segment makes no sense");

/// The next marker; fill bytes, stuffed bytes and garbage before it are passed over, as all readers do.
pub fn next_marker(file: &mut ImageFile) -> Result<u8, ImageRejection> {
    loop {
        if file.read_byte()? != 0xFF {
            continue;
        }
        loop {
            match file.read_byte()? {
                0xFF => {}
                0 => break,
                marker => return Ok(marker),
            }
        }
    }
}
