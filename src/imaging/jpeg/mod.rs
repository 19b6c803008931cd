//! JPEG: segments up to the end mark, and between them scans, whose codes are read to the last block. What they stand
//! for is not computed, so a picture costs no memory but for progressive ones.

mod huffman;
mod scan;

use super::source::Source;
use super::{Admit, Unfit};
use huffman::Tables;
use scan::Scan;

const BAD_SEGMENT: Unfit = Unfit::Damaged("a segment makes no sense");
/// A picture has about ten scans; hundreds of nearly empty ones would cost far more than its pixels.
const SCANS_LIMIT: u32 = 100;

/// One colour of a picture, in blocks of 8 x 8.
struct Component {
    id: u8,
    /// How many blocks an interleaved unit has across and down.
    across: u32,
    down: u32,
    quantizer: u8,
    /// How many blocks a scan of this component alone has across and down.
    columns: u32,
    rows: u32,
    /// How many blocks an interleaved scan has across: whole units.
    stride: u32,
    /// Progressive only: for each block, which coefficients are not zero, in zigzag order.
    known: Vec<u64>,
    /// Whether a scan had its blocks.
    seen: bool,
}

struct Frame {
    progressive: bool,
    width: u32,
    height: u32,
    /// How many interleaved units there are across and down.
    units: (u32, u32),
    components: Vec<Component>,
}

/// Reads a JPEG to its end mark; whatever follows that does not matter.
pub fn read(source: &mut Source, admit: &Admit, progressive: &mut bool) -> Result<(u32, u32), Unfit> {
    source.skip(2)?;
    let (mut tables, mut quantizers, mut interval) = (Tables::default(), [false; 4], 0);
    let mut frame: Option<Frame> = None;
    let (mut scans, mut pending) = (0, None);
    // Held while a large picture is read, so that there is one at a time.
    let mut _turn = None;
    loop {
        let marker = match pending.take() {
            Some(marker) => marker,
            None => next_marker(source)?,
        };
        if let 0x01 | 0xD0..=0xD8 = marker {
            continue;
        }
        if marker == 0xD9 {
            let frame = frame.ok_or(Unfit::Damaged("it has no picture"))?;
            return match frame.components.iter().all(|component| component.seen) {
                true => Ok((frame.width, frame.height)),
                false => Err(Unfit::Cut),
            };
        }
        let mut left = u64::from(u16::from_be_bytes(source.bytes()?)).checked_sub(2).ok_or(BAD_SEGMENT)?;
        match marker {
            0xC0..=0xC2 if frame.is_none() => {
                let mut read = Frame::read(source, marker == 0xC2, left)?;
                admit(read.width, read.height)?;
                *progressive = read.progressive;
                _turn = super::turn(read.memory());
                read.allocate();
                frame = Some(read);
            }
            0xC0..=0xC2 => return Err(Unfit::Damaged("it has two headers")),
            0xC3 | 0xC5..=0xC7 | 0xCB | 0xCD..=0xCF | 0xDE => {
                return Err(Unfit::Unsupported("a lossless or hierarchical JPEG"));
            }
            0xC9 | 0xCA | 0xCC => return Err(Unfit::Unsupported("an arithmetic JPEG")),
            0xC4 => tables.read(source, left)?,
            0xDB => {
                while left > 0 {
                    let head = source.byte()?;
                    let length = if head >> 4 == 0 { 64 } else { 128 };
                    left = left.checked_sub(1 + length).ok_or(BAD_SEGMENT)?;
                    *quantizers.get_mut(usize::from(head & 15)).ok_or(BAD_SEGMENT)? = true;
                    source.skip(length)?;
                }
            }
            0xDD if left == 2 => interval = u16::from_be_bytes(source.bytes()?).into(),
            0xDA => {
                let frame = frame.as_mut().ok_or(Unfit::Damaged("its picture comes before its header"))?;
                let scan = Scan::read(source, frame, left)?;
                scans += 1;
                if scans > SCANS_LIMIT {
                    return Err(Unfit::Unsupported("a JPEG of more than a hundred scans"));
                }
                let quantized = |&index: &usize| quantizers[usize::from(frame.components[index].quantizer)];
                if !scan.components().all(|index| quantized(&index)) {
                    return Err(Unfit::Damaged("a table is missing"));
                }
                pending = scan.run(source, frame, &tables, interval)?;
            }
            _ => source.skip(left)?,
        }
    }
}

/// The next marker; fill bytes, stuffed bytes and garbage before it are passed over, as all readers do.
fn next_marker(source: &mut Source) -> Result<u8, Unfit> {
    loop {
        if source.byte()? != 0xFF {
            continue;
        }
        loop {
            match source.byte()? {
                0xFF => {}
                0 => break,
                marker => return Ok(marker),
            }
        }
    }
}

impl Frame {
    fn read(source: &mut Source, progressive: bool, length: u64) -> Result<Self, Unfit> {
        let [precision, h0, h1, w0, w1, count] = source.bytes()?;
        let (width, height) = (u32::from(u16::from_be_bytes([w0, w1])), u32::from(u16::from_be_bytes([h0, h1])));
        if !(1..=4).contains(&count) || length != 6 + 3 * u64::from(count) || ![8, 12].contains(&precision) {
            return Err(BAD_SEGMENT);
        }
        let mut components = Vec::new();
        for _ in 0..count {
            let [id, sampling, quantizer] = source.bytes()?;
            let (across, down) = (u32::from(sampling >> 4), u32::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || quantizer > 3 {
                return Err(BAD_SEGMENT);
            }
            let (columns, rows, stride, known, seen) = (0, 0, 0, Vec::new(), false);
            components.push(Component { id, across, down, quantizer, columns, rows, stride, known, seen });
        }
        let most = |side: fn(&Component) -> u32| components.iter().map(side).max().unwrap_or(1);
        let (most_across, most_down) = (most(|c| c.across), most(|c| c.down));
        let units = (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down));
        for component in &mut components {
            component.columns = (width * component.across).div_ceil(most_across).div_ceil(8);
            component.rows = (height * component.down).div_ceil(most_down).div_ceil(8);
            component.stride = units.0 * component.across;
        }
        Ok(Self { progressive, width, height, units, components })
    }

    /// How many bytes reading it takes.
    fn memory(&self) -> usize {
        let blocks: usize = self.components.iter().map(|component| self.blocks(component)).sum();
        if self.progressive { 8 * blocks } else { 0 }
    }

    fn blocks(&self, component: &Component) -> usize {
        component.stride as usize * (self.units.1 * component.down) as usize
    }

    fn allocate(&mut self) {
        for index in 0..if self.progressive { self.components.len() } else { 0 } {
            self.components[index].known = vec![0; self.blocks(&self.components[index])];
        }
    }
}
