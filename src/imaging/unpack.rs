//! Compressed data, unpacked piece by piece.

use super::image_file::ImageFile;
use super::lzw::{Lzw, LzwVariety};
use super::rejection::ImageRejection;
use flate2::{Decompress, FlushDecompress, Status};

const BAD_DATA: ImageRejection = ImageRejection::Damaged("its compressed data is no such");
const OUTPUT_BYTES: usize = 16 * 1024;

/// A method of packing, and how far it has come.
pub enum Unpacker {
    Inflate(Box<InflateStream>),
    Lzw(Lzw),
    PackBits(PackBitsRun),
}

/// A stream, and room for what comes of it.
pub struct InflateStream {
    stream: Decompress,
    output: Vec<u8>,
}

/// What a run of PackBits has left.
pub enum PackBitsRun {
    None,
    Literal(u64),
    Repeat(u64),
}

/// What came of a piece.
struct UnpackStep {
    consumed: usize,
    produced: u64,
    ended: bool,
}

impl Unpacker {
    /// Inflates, with the header of zlib.
    pub fn inflate() -> Self {
        Self::Inflate(Box::new(InflateStream { stream: Decompress::new(true), output: vec![0; OUTPUT_BYTES] }))
    }

    /// LZW, as TIFF has it.
    pub fn lzw() -> Self {
        Self::Lzw(Lzw::new(LzwVariety::Tiff, 8))
    }

    /// Begins anew, with other data, of which these are the first two bytes.
    pub fn restart(&mut self, head: [u8; 2]) {
        match self {
            Self::Inflate(inflate) => inflate.stream.reset(true),
            // Before TIFF 5.0 the bits were in the order of GIF, so the clear code in front tells (libtiff).
            Self::Lzw(lzw) if head[0] == 0 && head[1] & 1 == 1 => lzw.restart(LzwVariety::Gif),
            Self::Lzw(lzw) => lzw.restart(LzwVariety::Tiff),
            Self::PackBits(run) => *run = PackBitsRun::None,
        }
    }

    /// Unpacks some of `input`, until `wanted` bytes have come of it, or not many more. A step that does nothing wants more
    /// input.
    fn step(&mut self, input: &[u8], wanted: u64) -> Result<UnpackStep, ImageRejection> {
        match self {
            Self::Inflate(inflate) => {
                let InflateStream { stream, output } = inflate.as_mut();
                let (read, written) = (stream.total_in(), stream.total_out());
                let status = stream.decompress(input, output, FlushDecompress::None).map_err(|_| BAD_DATA)?;
                Ok(UnpackStep {
                    consumed: (stream.total_in() - read) as usize,
                    produced: stream.total_out() - written,
                    ended: status == Status::StreamEnd,
                })
            }
            Self::Lzw(lzw) => {
                let (consumed, produced) = lzw.count(input, wanted)?;
                Ok(UnpackStep { consumed, produced, ended: lzw.has_ended() })
            }
            Self::PackBits(run) => {
                let (consumed, produced) = run.count(input, wanted);
                Ok(UnpackStep { consumed, produced, ended: false })
            }
        }
    }

    /// Unpacks the next `length` bytes of a file until `wanted` bytes have come of them. Tells how many of them that took,
    /// and how many bytes came.
    pub fn count(&mut self, file: &mut ImageFile, length: u64, wanted: u64) -> Result<(u64, u64), ImageRejection> {
        let (mut left, mut done) = (length, 0);
        while done < wanted {
            let piece = if left > 0 { file.available()? } else { &[] };
            let piece = &piece[..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            let step = self.step(piece, wanted - done)?;
            left -= step.consumed as u64;
            done += step.produced;
            file.consume(step.consumed);
            file.worked((step.consumed as u32).saturating_add(OUTPUT_BYTES as u32) / 4)?;
            if step.ended || (step.consumed == 0 && step.produced == 0) {
                break;
            }
        }
        Ok((length - left, done))
    }
}

impl PackBitsRun {
    fn count(&mut self, input: &[u8], wanted: u64) -> (usize, u64) {
        let (mut consumed, mut produced) = (0, 0);
        while produced < wanted && consumed < input.len() {
            match self {
                Self::None => {
                    *self = match input[consumed] {
                        head @ 0..=127 => Self::Literal(u64::from(head) + 1),
                        128 => Self::None,
                        head => Self::Repeat(257 - u64::from(head)),
                    };
                    consumed += 1;
                }
                Self::Literal(left) => {
                    let count = (*left).min((input.len() - consumed) as u64);
                    consumed += count as usize;
                    produced += count;
                    *self = if *left == count { Self::None } else { Self::Literal(*left - count) };
                }
                Self::Repeat(count) => {
                    produced += *count;
                    consumed += 1;
                    *self = Self::None;
                }
            }
        }
        (consumed, produced)
    }
}
