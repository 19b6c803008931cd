//! Compressed data, unpacked piece by piece.

use super::image_file::ImageFile;
use super::rejection::ImageRejection;
use flate2::{Decompress, FlushDecompress, Status};
use weezl::LzwStatus;
use weezl::decode::Decoder;

/// A method of packing, and how far it has come.
pub enum Unpacker {
    Stored,
    Inflate(Decompress),
    Lzw(Decoder),
    PackBits(PackBitsRun),
}

/// What a run of PackBits has left.
pub enum PackBitsRun {
    None,
    Literal(usize),
    Repeat(usize),
}

/// What came of a piece.
pub struct UnpackStep {
    pub consumed: usize,
    pub produced: usize,
    pub ended: bool,
}

impl Unpacker {
    /// Unpacks some of `input` into `output`. A step that does nothing wants more input.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<UnpackStep, ImageRejection> {
        match self {
            Self::Stored => {
                let count = input.len().min(output.len());
                output[..count].copy_from_slice(&input[..count]);
                Ok(UnpackStep { consumed: count, produced: count, ended: false })
            }
            Self::Inflate(stream) => {
                let (read, written) = (stream.total_in(), stream.total_out());
                let status = stream
                    .decompress(input, output, FlushDecompress::None)
                    .map_err(|_| ImageRejection::Damaged("its compressed data is no such"))?;
                Ok(UnpackStep {
                    consumed: (stream.total_in() - read) as usize,
                    produced: (stream.total_out() - written) as usize,
                    ended: status == Status::StreamEnd,
                })
            }
            Self::Lzw(stream) => {
                let result = stream.decode_bytes(input, output);
                let status = result.status.map_err(|_| ImageRejection::Damaged("its compressed data is no such"))?;
                let ended = matches!(status, LzwStatus::Done);
                Ok(UnpackStep { consumed: result.consumed_in, produced: result.consumed_out, ended })
            }
            Self::PackBits(run) => Ok(run.step(input, output)),
        }
    }

    /// Unpacks the next `length` bytes of a file until `wanted` bytes have come of them, and tells how many have. Stays
    /// behind what it needed.
    pub fn count(&mut self, file: &mut ImageFile, length: u64, wanted: u64) -> Result<u64, ImageRejection> {
        let mut output = vec![0; 16 * 1024];
        let (mut left, mut done) = (length, 0);
        while left > 0 && done < wanted {
            let piece = file.available()?;
            let piece = &piece[..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            let step = self.step(piece, &mut output)?;
            left -= step.consumed as u64;
            done += step.produced as u64;
            file.consume(step.consumed);
            if step.ended || (step.consumed == 0 && step.produced == 0) {
                break;
            }
        }
        // What the input gave may not all have fitted into the output.
        while done < wanted {
            let step = self.step(&[], &mut output)?;
            done += step.produced as u64;
            if step.ended || step.produced == 0 {
                break;
            }
        }
        Ok(done)
    }
}

impl PackBitsRun {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> UnpackStep {
        let (mut consumed, mut produced) = (0, 0);
        while produced < output.len() && consumed < input.len() {
            match self {
                Self::None => {
                    *self = match input[consumed] {
                        head @ 0..=127 => Self::Literal(usize::from(head) + 1),
                        128 => Self::None,
                        head => Self::Repeat(257 - usize::from(head)),
                    };
                    consumed += 1;
                }
                Self::Literal(left) => {
                    let count = (*left).min(output.len() - produced).min(input.len() - consumed);
                    consumed += count;
                    produced += count;
                    *self = if *left == count { Self::None } else { Self::Literal(*left - count) };
                }
                Self::Repeat(left) => {
                    let count = (*left).min(output.len() - produced);
                    produced += count;
                    if *left == count {
                        consumed += 1;
                        *self = Self::None;
                    } else {
                        *self = Self::Repeat(*left - count);
                    }
                }
            }
        }
        UnpackStep { consumed, produced, ended: false }
    }
}
