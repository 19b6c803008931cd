//! PNG: chunks, of which IDAT holds the picture. The chunks are walked, and what is packed in them is unpacked piece by piece
//! to count rows; which colours a row has is not computed.
//!
//! Our own code, because the decoder in Rust (`png`) keeps EXIF data in memory, refuses a picture for a faulty animation or
//! text behind it, which viewers show, and does not look at the checksum of the last data, which they refuse.

mod chunk;
mod header;
mod rows;

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::rejection::ImageRejection;
use chunk::{BAD_CHUNK, Chunk};
use header::{BAD_HEADER, Header};
use rows::Rows;

/// What the chunks have shown so far.
struct Picture {
    header: Header,
    rows: Rows,
    has_palette: bool,
}

/// Reads a PNG to its last chunk, or to its end if that is behind the last chunk of the picture: viewers miss nothing behind
/// that. Checksums are compared as viewers do: those of the header, the palette and the picture.
pub fn read(file: &mut ImageFile, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
    file.skip(8)?;
    let header = Header::read(file)?;
    let (width, height) = (header.width, header.height);
    check(width, height)?;
    let mut picture = Picture { rows: Rows::new(&header), header, has_palette: false };
    loop {
        match picture.take_chunk(file) {
            Ok(false) => {}
            Ok(true) if picture.rows.are_complete() => return Ok((width, height)),
            Ok(true) => return Err(ImageRejection::Damaged("it has fewer pixels than it says")),
            // A chunk of the picture that is cut off is told from what may be cut off behind it.
            Err(ImageRejection::Truncated) if picture.rows.are_complete() && !picture.rows.in_chunk => {
                return Ok((width, height));
            }
            Err(rejection) => return Err(rejection),
        }
    }
}

impl Picture {
    /// Reads the next chunk; tells whether it is the last.
    fn take_chunk(&mut self, file: &mut ImageFile) -> Result<bool, ImageRejection> {
        let mut chunk = Chunk::begin(file)?;
        match &chunk.name {
            b"IDAT" if self.header.is_indexed() && !self.has_palette => {
                return Err(ImageRejection::Damaged("it has no palette"));
            }
            b"IDAT" => self.rows.take(file, &mut chunk)?,
            b"PLTE" => {
                self.has_palette |= chunk.left >= 3;
                chunk.check(file)?;
            }
            // The viewers that read it do not mind what is in it.
            b"IEND" => return Ok(true),
            b"IHDR" => return Err(BAD_HEADER),
            // An upper-case letter in front: readers must not pass over it (PNG specification).
            name if name[0].is_ascii_uppercase() || !name.iter().all(u8::is_ascii_alphabetic) => return Err(BAD_CHUNK),
            _ => file.skip(chunk.left + 4)?,
        }
        Ok(false)
    }
}
