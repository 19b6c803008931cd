//! PNG: chunks, of which IDAT holds the picture.

use super::source::Source;
use super::unpack::Unpacker;
use super::{Admit, Unfit};
use flate2::{Crc, Decompress};

const BAD_HEADER: Unfit = Unfit::Damaged("its header makes no sense");
const INTERLACED: [(u32, u32, u32, u32); 7] =
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
const WHOLE: [(u32, u32, u32, u32); 1] = [(0, 0, 1, 1)];

/// Reads a PNG to its last chunk; whatever follows that does not matter.
pub fn read(source: &mut Source, admit: &Admit) -> Result<(u32, u32), Unfit> {
    source.skip(8)?;
    let header = Header::read(source)?;
    admit(header.width, header.height)?;
    let mut picture = Picture::new(&header);
    let mut palette = header.colour != 3;
    loop {
        let length = u64::from(u32::from_be_bytes(source.bytes()?));
        let name: [u8; 4] = source.bytes()?;
        match &name {
            b"IDAT" if !palette => return Err(Unfit::Damaged("it has no palette")),
            b"IDAT" if !picture.is_complete() => {
                let mut crc = Crc::new();
                crc.update(&name);
                picture.take(source, length, &mut crc)?;
                if u32::from_be_bytes(source.bytes()?) != crc.sum() && !picture.is_complete() {
                    return Err(Unfit::Damaged("a checksum is wrong"));
                }
            }
            b"IEND" => {
                source.skip(length + 4)?;
                let missing = Unfit::Damaged("it has fewer pixels than it says");
                return if picture.is_complete() { Ok((header.width, header.height)) } else { Err(missing) };
            }
            b"IHDR" => return Err(BAD_HEADER),
            [b'A'..=b'Z', _, _, _] if !matches!(&name, b"PLTE" | b"IDAT") => {
                return Err(Unfit::Damaged("it has a chunk that is none"));
            }
            _ if !name.iter().all(u8::is_ascii_alphabetic) => {
                return Err(Unfit::Damaged("it has a chunk that is none"));
            }
            _ => {
                palette |= name == *b"PLTE" && length >= 3;
                source.skip(length + 4)?;
            }
        }
    }
}

struct Header {
    width: u32,
    height: u32,
    colour: u8,
    bits_per_pixel: u32,
    passes: &'static [(u32, u32, u32, u32)],
}

impl Header {
    fn read(source: &mut Source) -> Result<Self, Unfit> {
        let head: [u8; 8] = source.bytes()?;
        if head != *b"\0\0\0\x0dIHDR" {
            return Err(BAD_HEADER);
        }
        let fields: [u8; 13] = source.bytes()?;
        let word = |at: usize| u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
        let [depth, colour, compression, filter, interlace] = [8, 9, 10, 11, 12].map(|at| fields[at]);
        let channels = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
            (2, 8 | 16) => 3,
            (4, 8 | 16) => 2,
            (6, 8 | 16) => 4,
            _ => return Err(BAD_HEADER),
        };
        let passes: &[_] = match interlace {
            0 => &WHOLE,
            1 => &INTERLACED,
            _ => return Err(BAD_HEADER),
        };
        let mut crc = Crc::new();
        crc.update(b"IHDR");
        crc.update(&fields);
        // What breaks the limits is to be told so, though a liar's checksum be wrong too.
        let sum = source.bytes().map(u32::from_be_bytes);
        let (width, height) = (word(0), word(4));
        let small = u64::from(width) + u64::from(height) <= super::DIMENSIONS_LIMIT;
        if compression != 0 || filter != 0 || (small && sum? != crc.sum()) {
            return Err(BAD_HEADER);
        }
        Ok(Self { width, height, colour, bits_per_pixel: channels * u32::from(depth), passes })
    }

    /// For each pass that has pixels: the bytes of a row with its filter, and the number of rows.
    fn rows(&self) -> impl Iterator<Item = (u64, u32)> + use<> {
        let (width, height, bits) = (self.width, self.height, u64::from(self.bits_per_pixel));
        self.passes.iter().filter_map(move |&(x, y, step_x, step_y)| {
            let (columns, rows) = (width.saturating_sub(x).div_ceil(step_x), height.saturating_sub(y).div_ceil(step_y));
            (columns > 0 && rows > 0).then(|| (1 + (u64::from(columns) * bits).div_ceil(8), rows))
        })
    }
}

/// The rows, as they come out of the compressed data.
struct Picture {
    unpacker: Unpacker,
    output: Vec<u8>,
    rows: Box<dyn Iterator<Item = (u64, u32)>>,
    /// The bytes of a row of this pass, and how many rows it has left beside the one that is being read.
    pass: (u64, u32),
    /// The bytes that the row has left.
    left: u64,
    complete: bool,
}

impl Picture {
    fn new(header: &Header) -> Self {
        let unpacker = Unpacker::Inflate(Decompress::new(true));
        let rows = Box::new(header.rows());
        Self { unpacker, output: vec![0; 32 * 1024], rows, pass: (0, 0), left: 0, complete: false }
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes a chunk of compressed data; passes over what comes after the last row.
    fn take(&mut self, source: &mut Source, length: u64, crc: &mut Crc) -> Result<(), Unfit> {
        let mut left = length;
        while left > 0 && !self.complete {
            let piece = source.some()?;
            let piece = &piece[..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            let step = self.unpacker.step(piece, &mut self.output)?;
            crc.update(&piece[..step.consumed]);
            source.pass(step.consumed);
            left -= step.consumed as u64;
            self.see(step.produced)?;
            if !self.complete && (step.ended || (step.consumed == 0 && step.produced == 0)) {
                return Err(Unfit::Damaged("it has fewer pixels than it says"));
            }
        }
        source.skip(left)
    }

    /// Goes along the rows in the first `count` bytes of the output.
    fn see(&mut self, count: usize) -> Result<(), Unfit> {
        let mut bytes = &self.output[..count];
        while let Some(filter) = bytes.first() {
            if self.left == 0 {
                if self.pass.1 == 0 {
                    let Some(pass) = self.rows.next() else { break };
                    self.pass = pass;
                }
                if *filter > 4 {
                    return Err(Unfit::Damaged("a row has a filter that there is not"));
                }
                self.pass.1 -= 1;
                self.left = self.pass.0;
            }
            let step = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            bytes = &bytes[step..];
            self.left -= step as u64;
            if self.left == 0 && self.pass.1 == 0 {
                match self.rows.next() {
                    Some(pass) => self.pass = pass,
                    None => self.complete = true,
                }
                if self.complete {
                    break;
                }
            }
        }
        Ok(())
    }
}
