//! The frame header: width, height and colours, and how many blocks each has.

use super::segment::BAD_SEGMENT;
use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;

/// One colour of a picture, in blocks of 8 x 8.
pub struct Component {
    pub id: u8,
    /// How many blocks an interleaved unit has across and down.
    pub across: u32,
    pub down: u32,
    pub quantizer: u8,
    /// How many blocks a scan of this component alone has across and down.
    pub columns: u32,
    pub rows: u32,
    /// How many blocks an interleaved scan has across: whole units.
    pub stride: u32,
    /// Progressive only: for each block, which coefficients are not zero, in zigzag order.
    pub known: Vec<u64>,
    /// Whether a scan had its blocks.
    pub seen: bool,
    /// Progressive only: of which coefficients the last bit has come.
    pub last_bits: u64,
}

impl Component {
    /// Whether all of its blocks are there, to the last bit.
    pub fn is_complete(&self, progressive: bool) -> bool {
        self.seen && (!progressive || self.last_bits == u64::MAX)
    }
}

/// The frame: the picture and its colours.
pub struct Frame {
    pub progressive: bool,
    pub width: u32,
    pub height: u32,
    /// How many interleaved units there are across and down.
    pub units: (u32, u32),
    pub components: Vec<Component>,
}

impl Frame {
    /// Takes a frame header (SOF) of so many bytes.
    pub fn read(file: &mut ImageFile, progressive: bool, length: u64) -> Result<Self, ImageRejection> {
        let [precision, h0, h1, w0, w1, count] = file.read_array()?;
        let (width, height) = (u32::from(u16::from_be_bytes([w0, w1])), u32::from(u16::from_be_bytes([h0, h1])));
        if !(1..=4).contains(&count) || length != 6 + 3 * u64::from(count) {
            return Err(BAD_SEGMENT);
        }
        match precision {
            8 => {}
            12 => return Err(ImageRejection::Unsupported("a JPEG of 12 bits a colour")),
            _ => return Err(BAD_SEGMENT),
        }
        let mut components = Vec::new();
        for _ in 0..count {
            let [id, sampling, quantizer] = file.read_array()?;
            let (across, down) = (u32::from(sampling >> 4), u32::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || quantizer > 3 {
                return Err(BAD_SEGMENT);
            }
            let (columns, rows, stride, known, seen, last_bits) = (0, 0, 0, Vec::new(), false, 0);
            components.push(Component { id, across, down, quantizer, columns, rows, stride, known, seen, last_bits });
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
    pub fn memory(&self) -> usize {
        let blocks: usize = self.components.iter().map(|component| self.blocks(component)).sum();
        if self.progressive { 8 * blocks } else { 0 }
    }

    fn blocks(&self, component: &Component) -> usize {
        component.stride as usize * (self.units.1 * component.down) as usize
    }

    /// Makes room for the coefficients of a progressive picture.
    pub fn allocate(&mut self) {
        for index in 0..if self.progressive { self.components.len() } else { 0 } {
            self.components[index].known = vec![0; self.blocks(&self.components[index])];
        }
    }
}
