//! A chunk: its length, its name, its data and a checksum.

use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;
use flate2::Crc;

pub const BAD_CHUNK: ImageRejection = ImageRejection::Damaged("it has a chunk that is none");
/// How much of the data is shown at a time: what that unpacks to takes some milliseconds at most.
const PIECE_BYTES: usize = 4096;
const BAD_CHECKSUM: ImageRejection = ImageRejection::Damaged("its data does not match its checksum");

/// A chunk whose data comes next.
pub struct Chunk {
    pub name: [u8; 4],
    /// How many bytes of its data have not been read.
    pub left: u64,
    sum: Crc,
}

impl Chunk {
    /// Reads the length and the name of the next chunk.
    pub fn begin(file: &mut ImageFile) -> Result<Self, ImageRejection> {
        let left = u32::from_be_bytes(file.read_array()?).into();
        let name = file.read_array()?;
        let mut sum = Crc::new();
        sum.update(&name);
        Ok(Self { name, left, sum })
    }

    /// Some of the data that comes next, at least one byte unless none is left; it is passed over with the next call.
    pub fn piece<'a>(&mut self, file: &'a mut ImageFile) -> Result<&'a [u8], ImageRejection> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let count = file.available()?.len().min(PIECE_BYTES).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= count as u64;
        let piece = file.take(count);
        self.sum.update(piece);
        Ok(piece)
    }

    /// Reads what is left of it, and compares the checksum.
    pub fn check(mut self, file: &mut ImageFile) -> Result<(), ImageRejection> {
        while !self.piece(file)?.is_empty() {}
        self.check_sum(file)
    }

    /// Compares the checksum, which comes behind the data.
    pub fn check_sum(&self, file: &mut ImageFile) -> Result<(), ImageRejection> {
        match u32::from_be_bytes(file.read_array()?) == self.sum.sum() {
            true => Ok(()),
            false => Err(BAD_CHECKSUM),
        }
    }
}
