//! TIFF: a directory of tags says where strips or tiles of the first picture are.

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::rejection::ImageRejection;
use super::unpack::{PackBitsRun, Unpacker};

const BAD_DIRECTORY: ImageRejection = ImageRejection::Damaged("its directory makes no sense");
/// The number of the packing that holds a JPEG in the way of before TIFF 6.0.
const OLD_JPEG: u64 = 6;
/// More samples or bits for a pixel are no picture.
const MAX_SAMPLES: u64 = 8;
const MAX_BITS_PER_SAMPLE: u64 = 64;

const SHARED_BYTES: ImageRejection = ImageRejection::Unsupported("a TIFF of strips that share their bytes");
/// What a picture unpacks to, in bytes: 25 megapixels of three colours in 32 bits have 300 MB.
const MAX_UNPACKED_BYTES: u64 = 512 << 20;
/// A tile has at least 16 x 16 pixels (TIFF 6.0). A picture of a few may have smaller ones.
const MIN_TILE_PIXELS: u64 = 256;
const MAX_SMALL_TILES: u64 = 1024;

/// Reads the first picture of a TIFF to its last strip. Strips that hold a JPEG, a fax, LZMA or Zstandard are only
/// looked for, not unpacked.
///
/// `open` opens the same file again: places and lengths of strips are read along with the strips, each from its own place.
pub fn read(
    file: &mut ImageFile,
    open: &dyn Fn() -> Result<ImageFile, ImageRejection>,
    check: &GeometryCheck,
) -> Result<(u32, u32), ImageRejection> {
    let big_endian = file.read_array::<4>()?[0] == b'M';
    let mut tags = TagReader { file, big_endian };
    let directory = tags.word()?;
    tags.file.seek_to(directory.into())?;
    let mut directory = ImageDirectory::default();
    for _ in 0..tags.half()? {
        let (tag, kind, count) = (tags.half()?, tags.half()?, tags.word()?);
        let value: [u8; 4] = tags.file.read_array()?;
        let field = TagField { kind, count, value };
        // Whatever else is said of the picture nobody misses.
        let is_missing = tags.place(field).is_some_and(|place| place + field.size() > tags.file.length());
        if directory.set(tag, field) && is_missing {
            return Err(ImageRejection::Truncated);
        }
    }
    // Where the next directory is, if there is one.
    tags.word()?;
    let layout = directory.layout(&mut tags, check)?;
    let (mut places, mut lengths) = (open()?, open()?);
    let places = TagReader { file: &mut places, big_endian };
    directory.read_strips(file, places, TagReader { file: &mut lengths, big_endian }, &layout)?;
    // No wider than the tag's type, so than 32 bits.
    Ok((layout.width as u32, layout.height as u32))
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
    /// Takes a field; tells whether it matters.
    fn set(&mut self, tag: u16, field: TagField) -> bool {
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
            _ => return false,
        };
        *slot = Some(field);
        true
    }

    fn layout(&self, tags: &mut TagReader, check: &GeometryCheck) -> Result<Layout, ImageRejection> {
        let (width, height) = (tags.only(self.width, 0)?, tags.only(self.height, 0)?);
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
        // In YCbCr the colours may be sampled more coarsely; a quarter of the colours is the least there is.
        let row_bits = tile_width * if colours == 6 { depth } else { per_pixel };
        let (row, tiled) = (row_bits.div_ceil(8), self.tile_width.is_some());
        let (across, down) = (width.div_ceil(tile_width), height.div_ceil(tile_height));
        let layout = Layout { width, height, packing, planes, across, down, tile_height, row, tiled };
        if layout.count() > MAX_SMALL_TILES && tiled && tile_width * tile_height < MIN_TILE_PIXELS {
            return Err(ImageRejection::Unsupported("a TIFF of tiles of a few pixels"));
        }
        if layout.count().saturating_mul(row * tile_height) > MAX_UNPACKED_BYTES {
            return Err(ImageRejection::Unsupported("a TIFF that unpacks to far more than its pixels"));
        }
        Ok(layout)
    }

    /// Unpacks all strips or tiles.
    fn read_strips(
        &self,
        file: &mut ImageFile,
        mut places: TagReader,
        mut lengths: TagReader,
        layout: &Layout,
    ) -> Result<(), ImageRejection> {
        if layout.packing == OLD_JPEG && (self.offsets.is_none() || self.lengths.is_none()) {
            // It may be in one piece, in a place that other tags tell.
            return Ok(());
        }
        let Some(offsets) = self.offsets else { return Err(BAD_DIRECTORY) };
        let mut strip = StripReader::of(layout.packing)?;
        // Strips may share their bytes, but not all of them the same.
        let mut left = 2 * file.length();
        for index in 0..layout.count() {
            let wanted = layout.bytes(index);
            let place = places.number(offsets, index as u32)?;
            let length = match self.lengths {
                // What is not packed is as long as its pixels, whatever it says (libtiff).
                Some(field) if layout.packing == 1 => lengths.number(field, index as u32)?.min(wanted),
                Some(field) => lengths.number(field, index as u32)?,
                None if layout.packing == 1 => wanted,
                None => return Err(BAD_DIRECTORY),
            };
            if place.checked_add(length).is_none_or(|end| end > file.length()) {
                return Err(ImageRejection::Truncated);
            }
            let consumed = strip.read(file, place, length, wanted)?;
            left = left.checked_sub(consumed).ok_or(SHARED_BYTES)?;
        }
        Ok(())
    }
}

/// How the pixels lie in strips or tiles.
struct Layout {
    width: u64,
    height: u64,
    packing: u64,
    planes: u64,
    /// How many strips or tiles there are across and down.
    across: u64,
    down: u64,
    /// How many rows each has.
    tile_height: u64,
    /// How many bytes a row of one has.
    row: u64,
    tiled: bool,
}

impl Layout {
    fn count(&self) -> u64 {
        self.planes * self.across * self.down
    }

    /// How many bytes a strip or tile unpacks to. The last strip may be shorter, a tile never is.
    fn bytes(&self, index: u64) -> u64 {
        let last = index / self.across % self.down == self.down - 1;
        let rows =
            if last && !self.tiled { self.height - self.tile_height * (self.down - 1) } else { self.tile_height };
        self.row * rows
    }
}

/// What is done with a strip, by its packing.
enum StripReader {
    /// Its bytes are the pixels.
    Stored,
    Packed(Unpacker),
    /// A fax, a JPEG of either kind, LZMA and Zstandard are only looked for.
    Skipped,
}

impl StripReader {
    fn of(packing: u64) -> Result<Self, ImageRejection> {
        Ok(match packing {
            1 => Self::Stored,
            5 => Self::Packed(Unpacker::lzw()),
            8 | 32_946 => Self::Packed(Unpacker::inflate()),
            32_773 => Self::Packed(Unpacker::PackBits(PackBitsRun::None)),
            2 | 3 | 4 | OLD_JPEG | 7 | 34_925 | 50_000 => Self::Skipped,
            _ => return Err(ImageRejection::Unsupported("a TIFF of a rare kind")),
        })
    }

    /// Reads a strip until it has given what its rows need; tells how many bytes that took.
    fn read(&mut self, file: &mut ImageFile, place: u64, length: u64, wanted: u64) -> Result<u64, ImageRejection> {
        let (consumed, done) = match self {
            Self::Stored => (0, length),
            Self::Skipped if length == 0 => return Err(ImageRejection::Unsupported("a TIFF of a rare kind")),
            Self::Skipped => (0, wanted),
            Self::Packed(unpacker) => {
                file.seek_to(place)?;
                let head = if length < 2 { [0; 2] } else { file.read_array()? };
                file.seek_to(place)?;
                unpacker.restart(head);
                unpacker.count(file, length, wanted)?
            }
        };
        match done < wanted {
            true => Err(ImageRejection::Damaged("a strip has fewer pixels than it says")),
            false => Ok(consumed),
        }
    }
}
