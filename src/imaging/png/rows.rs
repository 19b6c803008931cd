//! The rows of a picture, counted as they are unpacked.

use super::chunk::Chunk;
use super::header::Header;
use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;
use flate2::{Decompress, FlushDecompress, Status};
use std::collections::VecDeque;

const BAD_ROWS: ImageRejection = ImageRejection::Damaged("its rows cannot be decoded");
/// How many kinds of filters there are (PNG specification).
const FILTERS: u8 = 5;
const OUTPUT_BYTES: usize = 32 * 1024;

/// How far the rows have come.
pub struct Rows {
    /// The passes that are to come: how many rows, and how many bytes each has, its filter among them.
    passes: VecDeque<(u64, u64)>,
    /// How many bytes are missing of the current row.
    row_left: u64,
    stream: Decompress,
    stream_ended: bool,
    output: Vec<u8>,
    /// Whether a chunk has begun of which nobody has seen the end.
    pub in_chunk: bool,
}

impl Rows {
    pub fn new(header: &Header) -> Self {
        /// Where each pass of an interlaced picture begins, and its steps across and down (Adam7; PNG specification).
        const PASSES: [(u32, u32, u32, u32); 7] =
            [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
        let pass = |(column, row, across, down): (u32, u32, u32, u32)| {
            let columns = header.width.saturating_sub(column).div_ceil(across);
            let rows = header.height.saturating_sub(row).div_ceil(down);
            (u64::from(rows), 1 + (u64::from(columns) * header.pixel_bits).div_ceil(8))
        };
        let passes = if header.interlaced { &PASSES[..] } else { &[(0, 0, 1, 1)] };
        let passes = passes.iter().copied().map(pass).filter(|(rows, bytes)| *rows > 0 && *bytes > 1).collect();
        Self {
            passes,
            row_left: 0,
            stream: Decompress::new(true),
            stream_ended: false,
            output: vec![0; OUTPUT_BYTES],
            in_chunk: false,
        }
    }

    /// Whether the last row is there.
    pub fn are_complete(&self) -> bool {
        self.passes.is_empty() && self.row_left == 0
    }

    /// Unpacks a chunk, and compares its checksum. What comes behind the last row is not unpacked.
    pub fn take(&mut self, file: &mut ImageFile, chunk: &mut Chunk) -> Result<(), ImageRejection> {
        self.in_chunk = true;
        while chunk.left > 0 {
            let mut work = 0;
            let mut piece = chunk.piece(file)?;
            while !self.are_complete() && !self.stream_ended {
                let (consumed, produced) = self.unpack(piece)?;
                piece = &piece[consumed..];
                work += produced;
                if consumed == 0 && produced == 0 || (piece.is_empty() && produced < OUTPUT_BYTES) {
                    break;
                }
            }
            // To unpack a byte takes a nanosecond at most.
            file.worked(work as u32 / 4)?;
        }
        chunk.check_sum(file)?;
        self.in_chunk = false;
        Ok(())
    }

    /// Unpacks some of a piece and counts what comes of it; tells how much, and how many bytes came of it.
    fn unpack(&mut self, piece: &[u8]) -> Result<(usize, usize), ImageRejection> {
        let (read, written) = (self.stream.total_in(), self.stream.total_out());
        let unpacked = self.stream.decompress(piece, &mut self.output, FlushDecompress::None);
        let produced = (self.stream.total_out() - written) as usize;
        self.count(produced)?;
        match unpacked {
            Ok(status) => self.stream_ended = status == Status::StreamEnd,
            // Behind the last row nobody minds.
            Err(_) if self.are_complete() => self.stream_ended = true,
            Err(_) => return Err(BAD_ROWS),
        }
        Ok(((self.stream.total_in() - read) as usize, produced))
    }

    /// Goes on by so many bytes of the output, and looks at the filters in it.
    fn count(&mut self, produced: usize) -> Result<(), ImageRejection> {
        let mut at = 0;
        while at < produced {
            if self.row_left == 0 {
                let Some((rows, bytes)) = self.passes.front_mut() else { break };
                if self.output[at] >= FILTERS {
                    return Err(BAD_ROWS);
                }
                self.row_left = *bytes;
                *rows -= 1;
                if *rows == 0 {
                    self.passes.pop_front();
                }
            }
            let step = self.row_left.min((produced - at) as u64);
            self.row_left -= step;
            at += step as usize;
        }
        Ok(())
    }
}
