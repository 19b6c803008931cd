//! BMP: rows of a known length, or runs.

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::rejection::{ForeignFormat, ImageRejection};

/// The headers that there are, by their length. The two letters of BMP begin many a text, so this tells more than they.
const HEADER_LENGTHS: [u32; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

/// Reads a BMP to its last row; whatever follows that does not matter.
pub fn read(file: &mut ImageFile, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
    file.skip(10)?;
    let begin = u32::from_le_bytes(file.read_array()?);
    let header = u32::from_le_bytes(file.read_array()?);
    if !HEADER_LENGTHS.contains(&header) {
        return Err(ImageRejection::Format(ForeignFormat::Unknown));
    }
    // The height is negative when rows run downwards; the oldest header counts in 16 bits.
    let (width, height) = match header {
        12 => (u16::from_le_bytes(file.read_array()?).into(), u16::from_le_bytes(file.read_array()?).into()),
        _ => {
            let (width, height) = (i32::from_le_bytes(file.read_array()?), i32::from_le_bytes(file.read_array()?));
            let width = u32::try_from(width).map_err(|_| ImageRejection::Damaged("its width is negative"))?;
            (width, height.unsigned_abs())
        }
    };
    check(width, height)?;
    let [_, _, depth, _] = file.read_array()?;
    let packing = if header < 40 { 0 } else { u32::from_le_bytes(file.read_array()?) };
    file.seek_to(begin.into())?;
    match (packing, depth) {
        (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) | (3 | 6, 16 | 32) => {
            let row = (u64::from(width) * u64::from(depth)).div_ceil(8);
            // The padding of the last row is often left out.
            file.skip(row.next_multiple_of(4) * (u64::from(height) - 1) + row)?;
        }
        (1, 8) => runs(file, height, 8)?,
        (2, 4) => runs(file, height, 4)?,
        (4 | 5, _) => return Err(ImageRejection::Unsupported("a JPEG or PNG within a BMP")),
        _ => return Err(ImageRejection::Damaged("its header makes no sense")),
    }
    Ok((width, height))
}

/// Runs up to their end mark, or to the end of the last row.
fn runs(file: &mut ImageFile, height: u32, depth: u64) -> Result<(), ImageRejection> {
    let mut row = 0;
    while row < height {
        match file.read_array()? {
            [0, 0] => row += 1,
            [0, 1] => break,
            [0, 2] => row += u32::from(file.read_array::<2>()?[1]),
            [0, count] => file.skip((u64::from(count) * depth).div_ceil(8).next_multiple_of(2))?,
            [_, _] => {}
        }
    }
    Ok(())
}
