//! One scan: which coefficients of which components it has, and its codes from the first block to the last.

use super::frame::Frame;
use super::huffman::{BitReader, HuffmanCode, HuffmanTables};
use super::segment::BAD_SEGMENT;
use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;

/// What a scan says of itself.
pub struct Scan {
    /// The index of each component, and the numbers of its tables for DC and AC.
    components: Vec<(usize, u8, u8)>,
    pass: ScanPass,
    /// The first and last coefficient.
    first: u32,
    last: u32,
    /// Whether it brings the last bit of its coefficients.
    is_last: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScanPass {
    Sequential,
    DcFirst,
    DcMore,
    AcFirst,
    AcMore,
}

impl Scan {
    pub fn read(file: &mut ImageFile, frame: &Frame, length: u64) -> Result<Self, ImageRejection> {
        let count = file.read_byte()?;
        if !(1..=4).contains(&count) || length != 4 + 2 * u64::from(count) {
            return Err(BAD_SEGMENT);
        }
        let mut components: Vec<(usize, u8, u8)> = Vec::new();
        for _ in 0..count {
            let [id, tables] = file.read_array()?;
            let index = frame.components.iter().position(|component| component.id == id).ok_or(BAD_SEGMENT)?;
            if components.iter().any(|(other, ..)| *other == index) {
                return Err(BAD_SEGMENT);
            }
            components.push((index, tables >> 4, tables & 15));
        }
        let [first, last, approximation] = file.read_array()?;
        let pass = match (frame.progressive, first, approximation >> 4) {
            (false, ..) => ScanPass::Sequential,
            (true, 0, 0) => ScanPass::DcFirst,
            (true, 0, _) => ScanPass::DcMore,
            (true, _, 0) => ScanPass::AcFirst,
            (true, ..) => ScanPass::AcMore,
        };
        let begun = |(index, ..): &(usize, u8, u8)| frame.components[*index].seen;
        if matches!(pass, ScanPass::Sequential | ScanPass::DcFirst) && components.iter().any(begun) {
            return Err(ImageRejection::Damaged("it brings a colour twice"));
        }
        let alone = components.len() == 1;
        if matches!(pass, ScanPass::AcFirst | ScanPass::AcMore) && (!alone || last < first || last > 63) {
            return Err(BAD_SEGMENT);
        }
        Ok(Self { components, pass, first: first.into(), last: last.into(), is_last: approximation & 15 == 0 })
    }

    /// The indexes of its components.
    pub fn components(&self) -> impl Iterator<Item = usize> {
        self.components.iter().map(|(index, ..)| *index)
    }

    /// Reads its codes to the last block, and tells the marker behind them if it came across it.
    pub fn run(
        &self,
        file: &mut ImageFile,
        frame: &mut Frame,
        tables: &HuffmanTables,
        interval: u32,
    ) -> Result<Option<u8>, ImageRejection> {
        let mut bits = BitReader::new(file);
        match *self.components.as_slice() {
            [(index, _, ac)] if matches!(self.pass, ScanPass::AcFirst | ScanPass::AcMore) => {
                self.bands(&mut bits, frame, index, tables.ac(ac, false)?, interval)?;
            }
            _ => self.blocks(&mut bits, frame, tables, interval)?,
        }
        for index in self.components() {
            // Without its DC no component is there, whatever else is.
            frame.components[index].seen |= self.first == 0 || !frame.progressive;
            if self.is_last && self.first <= self.last && self.last < 64 {
                frame.components[index].last_bits |= u64::MAX << self.first & u64::MAX >> (63 - self.last);
            }
        }
        Ok(bits.end())
    }

    /// All blocks, where each has codes of its own.
    fn blocks(
        &self,
        bits: &mut BitReader,
        frame: &Frame,
        tables: &HuffmanTables,
        interval: u32,
    ) -> Result<(), ImageRejection> {
        let mut plan: Vec<(u32, Option<&HuffmanCode>, Option<&HuffmanCode>)> = Vec::new();
        for &(index, dc, ac) in &self.components {
            let component = &frame.components[index];
            let blocks = if self.components.len() == 1 { 1 } else { component.across * component.down };
            let dc = if self.pass == ScanPass::DcMore { None } else { Some(tables.dc(dc, !frame.progressive)?) };
            let ac = if self.pass == ScanPass::Sequential { Some(tables.ac(ac, !frame.progressive)?) } else { None };
            plan.push((blocks, dc, ac));
        }
        let units = match *self.components.as_slice() {
            [(index, ..)] => frame.components[index].columns * frame.components[index].rows,
            _ => frame.units.0 * frame.units.1,
        };
        for unit in 0..units {
            if interval > 0 && unit > 0 && unit % interval == 0 {
                bits.restart()?;
            }
            bits.worked(1)?;
            for &(blocks, dc, ac) in &plan {
                for _ in 0..blocks {
                    block(bits, dc, ac)?;
                }
            }
        }
        Ok(())
    }

    /// A band of the AC coefficients of one component, where a code may end many blocks.
    fn bands(
        &self,
        bits: &mut BitReader,
        frame: &mut Frame,
        index: usize,
        code: &HuffmanCode,
        interval: u32,
    ) -> Result<(), ImageRejection> {
        let component = &mut frame.components[index];
        let (columns, rows, stride) = (component.columns, component.rows, component.stride);
        let band = u64::MAX << self.first & u64::MAX >> (63 - self.last);
        let (mut ended, mut unit) = (0_u32, 0);
        while unit < columns * rows {
            bits.worked(1)?;
            if interval > 0 && unit > 0 && unit % interval == 0 {
                bits.restart()?;
                ended = 0;
            }
            if ended > 0 && self.pass == ScanPass::AcFirst {
                let to_restart = if interval > 0 { interval - unit % interval } else { u32::MAX };
                let step = ended.min(to_restart).min(columns * rows - unit);
                ended -= step;
                unit += step;
                continue;
            }
            let known = &mut component.known[(unit / columns * stride + unit % columns) as usize];
            ended = match self.pass {
                ScanPass::AcFirst => self.first_band(bits, known, code)?,
                _ if ended > 0 => {
                    bits.skip((*known & band).count_ones())?;
                    ended - 1
                }
                _ => self.more_band(bits, known, code)?,
            };
            unit += 1;
        }
        Ok(())
    }

    /// The first bits of a block's coefficients; how many blocks after it have none.
    fn first_band(&self, bits: &mut BitReader, known: &mut u64, code: &HuffmanCode) -> Result<u32, ImageRejection> {
        let mut k = self.first;
        while k <= self.last {
            let symbol = bits.symbol(code)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => k += 16,
                (_, 0) => return Ok((1 << run) - 1 + bits.take(run)?),
                _ => {
                    bits.take(size)?;
                    k += run;
                    *known |= if k < 64 { 1 << k } else { 0 };
                    k += 1;
                }
            }
        }
        Ok(0)
    }

    /// One more bit of a block's coefficients; how many blocks after it have no new ones.
    fn more_band(&self, bits: &mut BitReader, known: &mut u64, code: &HuffmanCode) -> Result<u32, ImageRejection> {
        let mut k = self.first;
        while k <= self.last {
            let symbol = bits.symbol(code)?;
            let (mut run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && run < 15 {
                let ended = (1 << run) - 1 + bits.take(run)?;
                let rest = u64::MAX << k & u64::MAX >> (63 - self.last);
                bits.skip((*known & rest).count_ones())?;
                return Ok(ended);
            }
            bits.skip(u32::from(size > 0))?;
            while k <= self.last {
                if *known >> k & 1 == 1 {
                    bits.skip(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            *known |= if size > 0 && k < 64 { 1 << k } else { 0 };
            k += 1;
        }
        Ok(0)
    }
}

/// The codes of one block: its DC (or one more bit of it), and its AC if the scan has it.
fn block(bits: &mut BitReader, dc: Option<&HuffmanCode>, ac: Option<&HuffmanCode>) -> Result<(), ImageRejection> {
    match dc {
        Some(code) => {
            let size = bits.symbol(code)?;
            bits.skip(size.min(16).into())?;
        }
        None => bits.skip(1)?,
    }
    let Some(code) = ac else { return Ok(()) };
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(code)?;
        let (run, size) = (symbol >> 4, symbol & 15);
        match (run, size) {
            (15, 0) => k += 16,
            (_, 0) => break,
            _ => {
                bits.skip(size.into())?;
                k += run + 1;
            }
        }
    }
    Ok(())
}
