//! Huffman codes, and the bits they are read from.

use super::segment::{BAD_SEGMENT, next_marker};
use super::standard;
use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;
use std::sync::LazyLock;

/// Codes up to this long are looked up, longer ones searched.
const LOOKUP_BITS: u32 = 9;

static STANDARD_DC: LazyLock<[HuffmanCode; 2]> = LazyLock::new(|| standard::DC.map(HuffmanCode::standard));
static STANDARD_AC: LazyLock<[HuffmanCode; 2]> = LazyLock::new(|| standard::AC.map(HuffmanCode::standard));

/// The codes that were defined so far.
#[derive(Default)]
pub struct HuffmanTables {
    dc: [Option<Box<HuffmanCode>>; 4],
    ac: [Option<Box<HuffmanCode>>; 4],
}

impl HuffmanTables {
    /// Takes a segment of codes.
    pub fn read(&mut self, file: &mut ImageFile, length: u64) -> Result<(), ImageRejection> {
        let mut left = length;
        while left > 0 {
            let head = file.read_byte()?;
            let counts: [u8; 16] = file.read_array()?;
            let symbols = counts.iter().map(|count| usize::from(*count)).sum();
            left = left.checked_sub(17 + symbols as u64).ok_or(BAD_SEGMENT)?;
            let class = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let slot = class.get_mut(usize::from(head & 15)).ok_or(BAD_SEGMENT)?;
            if head >> 4 > 1 || symbols > 256 {
                return Err(BAD_SEGMENT);
            }
            let mut values = vec![0; symbols];
            for value in &mut values {
                *value = file.read_byte()?;
            }
            *slot = Some(Box::new(HuffmanCode::new(&counts, values)?));
        }
        Ok(())
    }

    /// The code of a number for DC, of a scan that may do without its table.
    pub fn dc(&self, number: u8, defaults: bool) -> Result<&HuffmanCode, ImageRejection> {
        find(&self.dc, number, defaults.then_some(&*STANDARD_DC))
    }

    /// The same for AC.
    pub fn ac(&self, number: u8, defaults: bool) -> Result<&HuffmanCode, ImageRejection> {
        find(&self.ac, number, defaults.then_some(&*STANDARD_AC))
    }
}

fn find<'a>(
    codes: &'a [Option<Box<HuffmanCode>>; 4],
    number: u8,
    defaults: Option<&'a [HuffmanCode; 2]>,
) -> Result<&'a HuffmanCode, ImageRejection> {
    let number = usize::from(number);
    let given = codes.get(number).and_then(Option::as_deref);
    let code = given.or_else(|| defaults?.get(number));
    code.ok_or(ImageRejection::Damaged("a table is missing"))
}

/// A canonical Huffman code.
pub struct HuffmanCode {
    symbols: Vec<u8>,
    /// For each beginning of [`LOOKUP_BITS`] bits: the length of its code (0: longer) and its symbol.
    quick: Vec<(u8, u8)>,
    /// For each length: what is less than this, seen as 16 bits, has a code of at most this length.
    ends: [u32; 17],
    /// For each length: what to add to a code to find its symbol.
    offsets: [i32; 17],
}

impl HuffmanCode {
    fn standard((counts, symbols): standard::Code) -> Self {
        Self::new(&counts, symbols.to_vec()).expect("the codes of the standard are codes")
    }

    fn new(counts: &[u8; 16], symbols: Vec<u8>) -> Result<Self, ImageRejection> {
        let (mut quick, mut ends, mut offsets) = (vec![(0, 0); 1 << LOOKUP_BITS], [0; 17], [0; 17]);
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            let count = u32::from(*count);
            if code + count > 1 << length {
                return Err(ImageRejection::Damaged("a table makes no sense"));
            }
            offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..count {
                if length <= LOOKUP_BITS {
                    let begin = (code << (LOOKUP_BITS - length)) as usize;
                    quick[begin..begin + (1 << (LOOKUP_BITS - length))].fill((length as u8, symbols[index]));
                }
                code += 1;
                index += 1;
            }
            ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(Self { symbols, quick, ends, offsets })
    }
}

/// The bits of a scan, up to the next marker.
pub struct BitReader<'a> {
    file: &'a mut ImageFile,
    held: u64,
    count: u32,
    /// How many of the bits held were made up, since a marker or the end of the file came.
    padding: u32,
    marker: Option<u8>,
    ended: bool,
}

impl<'a> BitReader<'a> {
    pub fn new(file: &'a mut ImageFile) -> Self {
        Self { file, held: 0, count: 0, padding: 0, marker: None, ended: false }
    }

    /// The next symbol of a code.
    pub fn symbol(&mut self, code: &HuffmanCode) -> Result<u8, ImageRejection> {
        if self.count < 16 {
            self.fill()?;
        }
        let next = (self.held >> (self.count - 16)) as u32 & 0xFFFF;
        let (length, symbol) = code.quick[(next >> (16 - LOOKUP_BITS)) as usize];
        if length > 0 {
            self.drop(length.into())?;
            return Ok(symbol);
        }
        for length in LOOKUP_BITS + 1..=16 {
            if next < code.ends[length as usize] {
                self.drop(length)?;
                let index = (next >> (16 - length)) as i32 + code.offsets[length as usize];
                let symbol = usize::try_from(index).ok().and_then(|index| code.symbols.get(index));
                return symbol.copied().ok_or(ImageRejection::Damaged("its compressed data is no such"));
            }
        }
        // At the end of the data, what was made up is to blame.
        Err(if self.padding > 0 {
            ImageRejection::Truncated
        } else {
            ImageRejection::Damaged("its compressed data is no such")
        })
    }

    /// The next bits as a number, at most 16.
    pub fn take(&mut self, count: u32) -> Result<u32, ImageRejection> {
        if self.count < count {
            self.fill()?;
        }
        let bits = (self.held >> (self.count - count)) as u32 & ((1 << count) - 1);
        self.drop(count)?;
        Ok(bits)
    }

    /// Passes over bits, any number of them.
    pub fn skip(&mut self, mut count: u32) -> Result<(), ImageRejection> {
        while count > 0 {
            let step = count.min(16);
            if self.count < step {
                self.fill()?;
            }
            self.drop(step)?;
            count -= step;
        }
        Ok(())
    }

    /// Counts work, as [`ImageFile::worked`] does.
    pub fn worked(&mut self, steps: u32) -> Result<(), ImageRejection> {
        self.file.worked(steps)
    }

    /// Ends the scan, and tells the marker that it met.
    pub fn end(self) -> Option<u8> {
        self.marker
    }

    /// Passes over the restart mark, which is due.
    pub fn restart(&mut self) -> Result<(), ImageRejection> {
        let marker = match self.marker.take() {
            Some(marker) => marker,
            None => next_marker(self.file)?,
        };
        (self.held, self.count, self.padding) = (0, 0, 0);
        if (0xD0..=0xD7).contains(&marker) { Ok(()) } else { Err(ImageRejection::Truncated) }
    }

    fn drop(&mut self, count: u32) -> Result<(), ImageRejection> {
        self.count -= count;
        if self.count < self.padding { Err(ImageRejection::Truncated) } else { Ok(()) }
    }

    /// Holds 16 bits at least.
    fn fill(&mut self) -> Result<(), ImageRejection> {
        while self.count <= 48 {
            let byte = if self.marker.is_some() || self.ended { None } else { self.next_data_byte()? };
            self.padding += if byte.is_none() { 8 } else { 0 };
            self.held = self.held << 8 | u64::from(byte.unwrap_or(0));
            self.count += 8;
        }
        Ok(())
    }

    /// The next byte of data, if no marker comes first.
    fn next_data_byte(&mut self) -> Result<Option<u8>, ImageRejection> {
        let byte = self.next_byte()?;
        if byte != Some(0xFF) {
            return Ok(byte);
        }
        loop {
            match self.next_byte()? {
                Some(0xFF) => {}
                Some(0) => return Ok(Some(0xFF)),
                Some(marker) => {
                    self.marker = Some(marker);
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
    }

    fn next_byte(&mut self) -> Result<Option<u8>, ImageRejection> {
        match self.file.read_byte() {
            Ok(byte) => Ok(Some(byte)),
            Err(ImageRejection::Truncated) => {
                self.ended = true;
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}
