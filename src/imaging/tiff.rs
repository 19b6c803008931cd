//! TIFF: a directory of tags says where strips or tiles of the first picture are.

use super::source::Source;
use super::unpack::{Run, Unpacker};
use super::{Admit, Unfit};
use flate2::Decompress;
use weezl::BitOrder;
use weezl::decode::Configuration;

const BAD_DIRECTORY: Unfit = Unfit::Damaged("its directory makes no sense");
/// More samples or bits for a pixel are no picture.
const SAMPLES_LIMIT: u64 = 8;
const DEPTH_LIMIT: u64 = 64;

/// Reads the first picture of a TIFF to its last strip. Strips that hold a JPEG or a fax are only looked for, not unpacked.
pub fn read(source: &mut Source, admit: &Admit) -> Result<(u32, u32), Unfit> {
    let big_endian = source.bytes::<4>()?[0] == b'M';
    let mut file = Tags { source, big_endian };
    let directory = file.word()?;
    file.source.go_to(directory.into())?;
    let mut directory = Directory::default();
    for _ in 0..file.half()? {
        let (tag, kind, count) = (file.half()?, file.half()?, file.word()?);
        let value: [u8; 4] = file.source.bytes()?;
        let field = Field { kind, count, value };
        if file.place(field).is_some_and(|place| place + field.size() > file.source.length()) {
            return Err(Unfit::Cut);
        }
        directory.set(tag, field);
    }
    // Where the next directory is, if there is one.
    file.word()?;
    directory.read(&mut file, admit)
}

struct Tags<'a> {
    source: &'a mut Source,
    big_endian: bool,
}

impl Tags<'_> {
    fn half(&mut self) -> Result<u16, Unfit> {
        let bytes = self.source.bytes()?;
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn word(&mut self) -> Result<u32, Unfit> {
        let bytes = self.source.bytes()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Where the numbers of a field are, if they are too many to be in the field itself.
    fn place(&self, field: Field) -> Option<u64> {
        let word = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        (field.size() > 4).then(|| word(field.value).into())
    }

    /// One of the numbers of a field.
    fn number(&mut self, field: Field, index: u32) -> Result<u64, Unfit> {
        if index >= field.count || ![1, 3, 4].contains(&field.kind) {
            return Err(BAD_DIRECTORY);
        }
        let size = field.width();
        let Some(place) = self.place(field) else {
            let at = index as usize * size as usize;
            let bytes = &field.value[at..at + size as usize];
            let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
            return Ok(if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) });
        };
        self.source.go_to(place + u64::from(index) * size)?;
        match size {
            1 => self.source.byte().map(u64::from),
            2 => self.half().map(u64::from),
            _ => self.word().map(u64::from),
        }
    }

    /// The one number of a field, if it is there.
    fn only(&mut self, field: Option<Field>, default: u64) -> Result<u64, Unfit> {
        field.map_or(Ok(default), |field| self.number(field, 0))
    }
}

#[derive(Clone, Copy)]
struct Field {
    kind: u16,
    count: u32,
    value: [u8; 4],
}

impl Field {
    /// How many bytes a number has; none for a kind that is not known.
    fn width(self) -> u64 {
        match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => 0,
        }
    }

    /// How many bytes all of its numbers have.
    fn size(self) -> u64 {
        u64::from(self.count) * self.width()
    }
}

/// The fields that matter, as they are in the file.
#[derive(Default)]
struct Directory {
    width: Option<Field>,
    height: Option<Field>,
    depth: Option<Field>,
    packing: Option<Field>,
    colours: Option<Field>,
    samples: Option<Field>,
    planar: Option<Field>,
    rows: Option<Field>,
    tile_width: Option<Field>,
    tile_height: Option<Field>,
    offsets: Option<Field>,
    lengths: Option<Field>,
}

impl Directory {
    fn set(&mut self, tag: u16, field: Field) {
        let slot = match tag {
            256 => &mut self.width,
            257 => &mut self.height,
            258 => &mut self.depth,
            259 => &mut self.packing,
            262 => &mut self.colours,
            273 | 324 => &mut self.offsets,
            277 => &mut self.samples,
            278 => &mut self.rows,
            279 | 325 => &mut self.lengths,
            284 => &mut self.planar,
            322 => &mut self.tile_width,
            323 => &mut self.tile_height,
            _ => return,
        };
        *slot = Some(field);
    }

    fn read(&self, file: &mut Tags, admit: &Admit) -> Result<(u32, u32), Unfit> {
        let (width, height) = (file.only(self.width, 0)?, file.only(self.height, 0)?);
        // No wider than the tag's type, so than 32 bits.
        admit(width as u32, height as u32)?;
        let (samples, depth) = (file.only(self.samples, 1)?, file.only(self.depth, 1)?);
        let (packing, colours) = (file.only(self.packing, 1)?, file.only(self.colours, 1)?);
        if samples == 0 || samples > SAMPLES_LIMIT || depth == 0 || depth > DEPTH_LIMIT {
            return Err(BAD_DIRECTORY);
        }
        let separate = file.only(self.planar, 1)? == 2;
        let (planes, per_pixel) = if separate { (samples, depth) } else { (1, samples * depth) };
        let (tile_width, tile_height) = match self.tile_width {
            Some(_) => (file.only(self.tile_width, 0)?, file.only(self.tile_height, 0)?),
            None => (width, file.only(self.rows, height)?.min(height)),
        };
        if tile_width == 0 || tile_height == 0 || tile_width > 65_536 || tile_height > 65_536 {
            return Err(BAD_DIRECTORY);
        }
        let row = (tile_width * per_pixel).div_ceil(8);
        let (across, down) = (width.div_ceil(tile_width), height.div_ceil(tile_height));
        // In YCbCr the colours may be sampled more coarsely; a quarter of the colours is the least there is.
        let whole = |rows: u64| if colours == 6 { (tile_width * depth).div_ceil(8) * rows } else { row * rows };
        let Some(offsets) = self.offsets else { return Err(BAD_DIRECTORY) };
        for index in 0..planes * across * down {
            let last = index / across % down == down - 1;
            let rows = if last && self.tile_width.is_none() { height - tile_height * (down - 1) } else { tile_height };
            let place = file.number(offsets, index as u32)?;
            let length = match self.lengths {
                Some(lengths) => file.number(lengths, index as u32)?,
                None if packing == 1 => whole(rows),
                None => return Err(BAD_DIRECTORY),
            };
            if place.checked_add(length).is_none_or(|end| end > file.source.length()) {
                return Err(Unfit::Cut);
            }
            file.source.go_to(place)?;
            unpack(file.source, packing, length, whole(rows))?;
        }
        Ok((width as u32, height as u32))
    }
}

/// Unpacks a strip until it has given what its rows need.
fn unpack(source: &mut Source, packing: u64, length: u64, wanted: u64) -> Result<(), Unfit> {
    let mut unpacker = match packing {
        1 => Unpacker::Stored,
        5 => {
            let lzw = Configuration::with_tiff_size_switch(BitOrder::Msb, 8);
            Unpacker::Lzw(lzw.with_yield_on_full_buffer(true).build())
        }
        8 | 32_946 => Unpacker::Inflate(Decompress::new(true)),
        32_773 => Unpacker::PackBits(Run::None),
        2 | 3 | 4 | 7 if length > 0 => return Ok(()),
        _ => return Err(Unfit::Unsupported("a TIFF of a rare kind")),
    };
    match unpacker.count(source, length, wanted)? {
        done if done < wanted => Err(Unfit::Damaged("a strip has fewer pixels than it says")),
        _ => Ok(()),
    }
}
