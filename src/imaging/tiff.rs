//! TIFF: a directory of tags says where strips or tiles of the first picture are.

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::rejection::ImageRejection;
use super::unpack::{PackBitsRun, Unpacker};
use flate2::Decompress;
use weezl::BitOrder;
use weezl::decode::Configuration;

const BAD_DIRECTORY: ImageRejection = ImageRejection::Damaged("its directory makes no sense");
/// More samples or bits for a pixel are no picture.
const MAX_SAMPLES: u64 = 8;
const MAX_BITS_PER_SAMPLE: u64 = 64;

/// Reads the first picture of a TIFF to its last strip. Strips that hold a JPEG or a fax are only looked for, not unpacked.
pub fn read(file: &mut ImageFile, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
    let big_endian = file.read_array::<4>()?[0] == b'M';
    let mut tags = TagReader { file, big_endian };
    let directory = tags.word()?;
    tags.file.seek_to(directory.into())?;
    let mut directory = ImageDirectory::default();
    for _ in 0..tags.half()? {
        let (tag, kind, count) = (tags.half()?, tags.half()?, tags.word()?);
        let value: [u8; 4] = tags.file.read_array()?;
        let field = TagField { kind, count, value };
        if tags.place(field).is_some_and(|place| place + field.size() > tags.file.length()) {
            return Err(ImageRejection::Truncated);
        }
        directory.set(tag, field);
    }
    // Where the next directory is, if there is one.
    tags.word()?;
    directory.read(&mut tags, check)
}

struct TagReader<'a> {
    file: &'a mut ImageFile,
    big_endian: bool,
}

impl TagReader<'_> {
    fn half(&mut self) -> Result<u16, ImageRejection> {
        let bytes = self.file.read_array()?;
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn word(&mut self) -> Result<u32, ImageRejection> {
        let bytes = self.file.read_array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Where the numbers of a field are, if they are too many to be in the field itself.
    fn place(&self, field: TagField) -> Option<u64> {
        let word = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        (field.size() > 4).then(|| word(field.value).into())
    }

    /// One of the numbers of a field.
    fn number(&mut self, field: TagField, index: u32) -> Result<u64, ImageRejection> {
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
        self.file.seek_to(place + u64::from(index) * size)?;
        match size {
            1 => self.file.read_byte().map(u64::from),
            2 => self.half().map(u64::from),
            _ => self.word().map(u64::from),
        }
    }

    /// The one number of a field, if it is there.
    fn only(&mut self, field: Option<TagField>, default: u64) -> Result<u64, ImageRejection> {
        field.map_or(Ok(default), |field| self.number(field, 0))
    }
}

#[derive(Clone, Copy)]
struct TagField {
    kind: u16,
    count: u32,
    value: [u8; 4],
}

impl TagField {
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
struct ImageDirectory {
    width: Option<TagField>,
    height: Option<TagField>,
    depth: Option<TagField>,
    packing: Option<TagField>,
    colours: Option<TagField>,
    samples: Option<TagField>,
    planar: Option<TagField>,
    rows: Option<TagField>,
    tile_width: Option<TagField>,
    tile_height: Option<TagField>,
    offsets: Option<TagField>,
    lengths: Option<TagField>,
}

impl ImageDirectory {
    fn set(&mut self, tag: u16, field: TagField) {
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

    fn read(&self, tags: &mut TagReader, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
        let (width, height) = (tags.only(self.width, 0)?, tags.only(self.height, 0)?);
        // No wider than the tag's type, so than 32 bits.
        check(width as u32, height as u32)?;
        let (samples, depth) = (tags.only(self.samples, 1)?, tags.only(self.depth, 1)?);
        let (packing, colours) = (tags.only(self.packing, 1)?, tags.only(self.colours, 1)?);
        if samples == 0 || samples > MAX_SAMPLES || depth == 0 || depth > MAX_BITS_PER_SAMPLE {
            return Err(BAD_DIRECTORY);
        }
        let separate = tags.only(self.planar, 1)? == 2;
        let (planes, per_pixel) = if separate { (samples, depth) } else { (1, samples * depth) };
        let (tile_width, tile_height) = match self.tile_width {
            Some(_) => (tags.only(self.tile_width, 0)?, tags.only(self.tile_height, 0)?),
            None => (width, tags.only(self.rows, height)?.min(height)),
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
            let place = tags.number(offsets, index as u32)?;
            let length = match self.lengths {
                Some(lengths) => tags.number(lengths, index as u32)?,
                None if packing == 1 => whole(rows),
                None => return Err(BAD_DIRECTORY),
            };
            if place.checked_add(length).is_none_or(|end| end > tags.file.length()) {
                return Err(ImageRejection::Truncated);
            }
            tags.file.seek_to(place)?;
            unpack(tags.file, packing, length, whole(rows))?;
        }
        Ok((width as u32, height as u32))
    }
}

/// Unpacks a strip until it has given what its rows need.
fn unpack(file: &mut ImageFile, packing: u64, length: u64, wanted: u64) -> Result<(), ImageRejection> {
    let mut unpacker = match packing {
        1 => Unpacker::Stored,
        5 => {
            let lzw = Configuration::with_tiff_size_switch(BitOrder::Msb, 8);
            Unpacker::Lzw(lzw.with_yield_on_full_buffer(true).build())
        }
        8 | 32_946 => Unpacker::Inflate(Decompress::new(true)),
        32_773 => Unpacker::PackBits(PackBitsRun::None),
        2 | 3 | 4 | 7 if length > 0 => return Ok(()),
        _ => return Err(ImageRejection::Unsupported("a TIFF of a rare kind")),
    };
    match unpacker.count(file, length, wanted)? {
        done if done < wanted => Err(ImageRejection::Damaged("a strip has fewer pixels than it says")),
        _ => Ok(()),
    }
}
