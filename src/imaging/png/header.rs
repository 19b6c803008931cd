//! The header (IHDR): width, height and what a pixel is made of.

use super::chunk::Chunk;
use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;

pub const BAD_HEADER: ImageRejection = ImageRejection::Damaged("its header makes no sense");
const LENGTH: u64 = 13;

/// What IHDR says, in a combination that there is.
pub struct Header {
    pub width: u32,
    pub height: u32,
    /// How many bits a pixel has.
    pub pixel_bits: u64,
    pub interlaced: bool,
    colour: u8,
}

impl Header {
    /// Reads the first chunk, which must be it.
    pub fn read(file: &mut ImageFile) -> Result<Self, ImageRejection> {
        let mut chunk = Chunk::begin(file)?;
        if (&chunk.name, chunk.left) != (b"IHDR", LENGTH) {
            return Err(BAD_HEADER);
        }
        let mut bytes = Vec::with_capacity(LENGTH as usize);
        while chunk.left > 0 {
            bytes.extend_from_slice(chunk.piece(file)?);
        }
        chunk.check_sum(file)?;
        let &[w0, w1, w2, w3, h0, h1, h2, h3, depth, colour, packing, filter, interlacing] = bytes.as_slice() else {
            return Err(BAD_HEADER);
        };
        let samples = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
            (4, 8 | 16) => 2,
            (2, 8 | 16) => 3,
            (6, 8 | 16) => 4,
            _ => return Err(BAD_HEADER),
        };
        if packing != 0 || filter != 0 || interlacing > 1 {
            return Err(BAD_HEADER);
        }
        Ok(Self {
            width: u32::from_be_bytes([w0, w1, w2, w3]),
            height: u32::from_be_bytes([h0, h1, h2, h3]),
            pixel_bits: samples * u64::from(depth),
            interlaced: interlacing == 1,
            colour,
        })
    }

    /// Whether its pixels are numbers of colours in a palette.
    pub fn is_indexed(&self) -> bool {
        self.colour == 3
    }
}
