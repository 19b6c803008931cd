//! PNG: chunks, of which IDAT holds the picture. The chunks are walked here, and the rows are read with the `png` crate,
//! one at a time, also of interlaced pictures.
//!
//! The crate sees the header and what follows the first IDAT, and is asked for nothing behind the last row. It would keep
//! EXIF data in memory, and refuse a picture for a faulty animation or text behind it, which viewers show.

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::rejection::ImageRejection;
use png::{Decoder, DecodingError, Limits, Reader};
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};

const BAD_HEADER: ImageRejection = ImageRejection::Damaged("its header makes no sense");
const BAD_CHUNK: ImageRejection = ImageRejection::Damaged("it has a chunk that is none");
/// The signature and IHDR: length, name, thirteen bytes, checksum.
const HEADER_BYTES: usize = 8 + 4 + 4 + 13 + 4;
/// The longest row that is read. The crate holds about four of them.
const ROW_LIMIT_BYTES: usize = 1 << 20;

/// Reads a PNG to its last chunk; whatever follows that does not matter.
pub fn read(file: &mut ImageFile, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
    let header: [u8; HEADER_BYTES] = file.read_array()?;
    if header[8..16] != *b"\0\0\0\x0dIHDR" {
        return Err(BAD_HEADER);
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (width, height, has_palette) = (number(16), number(20), header[25] == 3);
    check(width, height)?;
    let pixels = walk_chunks(file, has_palette)?.ok_or(ImageRejection::Damaged("it has fewer pixels than it says"))?;
    file.seek_to(pixels)?;
    let rejection = |error, damage| match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => ImageRejection::Truncated,
        DecodingError::IoError(error) => ImageRejection::File(error),
        DecodingError::LimitsExceeded => ImageRejection::TooLarge { width, height },
        _ => damage,
    };
    let decoder = Decoder::new_with_limits(PixelChunks { header: &header, file }, Limits { bytes: ROW_LIMIT_BYTES });
    let reader = decoder.read_info().map_err(|error| rejection(error, BAD_HEADER))?;
    read_rows(reader).map_err(|error| rejection(error, ImageRejection::Damaged("its rows cannot be decoded")))?;
    Ok((width, height))
}

/// Goes from chunk to chunk up to IEND, and tells where the first IDAT begins.
fn walk_chunks(file: &mut ImageFile, has_palette: bool) -> Result<Option<u64>, ImageRejection> {
    let (mut pixels, mut palette_missing) = (None, has_palette);
    loop {
        let position = file.position();
        let length = u64::from(u32::from_be_bytes(file.read_array()?));
        let name: [u8; 4] = file.read_array()?;
        match &name {
            b"IDAT" if palette_missing => return Err(ImageRejection::Damaged("it has no palette")),
            b"IDAT" => pixels = pixels.or(Some(position)),
            b"PLTE" => palette_missing &= length < 3,
            b"IEND" => {}
            b"IHDR" => return Err(BAD_HEADER),
            // An upper-case letter in front: readers must not pass over it (PNG specification).
            _ if name[0].is_ascii_uppercase() || !name.iter().all(u8::is_ascii_alphabetic) => return Err(BAD_CHUNK),
            _ => {}
        }
        file.skip(length + 4)?;
        if name == *b"IEND" {
            return Ok(pixels);
        }
    }
}

/// Reads every row, and nothing behind them.
fn read_rows(mut reader: Reader<PixelChunks>) -> Result<(), DecodingError> {
    let (width, height) = reader.info().size();
    let rows = if reader.info().interlaced { interlaced_rows(width, height) } else { height };
    let mut row = vec![0; reader.output_line_size(width).ok_or(DecodingError::LimitsExceeded)?];
    for _ in 0..rows {
        reader.read_row(&mut row)?;
    }
    Ok(())
}

/// How many rows the seven passes of an interlaced picture have (Adam7; PNG specification).
fn interlaced_rows(width: u32, height: u32) -> u32 {
    const PASSES: [(u32, u32, u32); 7] = [(0, 0, 8), (4, 0, 8), (0, 4, 8), (2, 0, 4), (0, 2, 4), (1, 0, 2), (0, 1, 2)];
    let rows = |(column, row, step): (u32, u32, u32)| {
        if width > column { height.saturating_sub(row).div_ceil(step) } else { 0 }
    };
    PASSES.into_iter().map(rows).sum()
}

/// The header, and the file from where it is.
struct PixelChunks<'a> {
    header: &'a [u8],
    file: &'a mut ImageFile,
}

impl BufRead for PixelChunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.header.is_empty() {
            return Ok(self.header);
        }
        match self.file.available() {
            Ok(bytes) => Ok(bytes),
            Err(ImageRejection::File(error)) => Err(error),
            Err(_) => Ok(&[]),
        }
    }

    fn consume(&mut self, count: usize) {
        match self.header.split_at_checked(count) {
            Some((_, rest)) if !self.header.is_empty() => self.header = rest,
            _ => self.file.consume(count),
        }
    }
}

impl Read for PixelChunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Asked for by the crate's types and never used.
impl Seek for PixelChunks<'_> {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(ErrorKind::Unsupported.into())
    }
}
