//! BMP: rows of a known length, or runs.

use super::source::Source;
use super::{Admit, Unfit};

/// The headers that there are, by their length. The two letters of BMP begin many a text, so this tells more than they.
const HEADERS: [u32; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

/// Reads a BMP to its last row; whatever follows that does not matter.
pub fn read(source: &mut Source, admit: &Admit) -> Result<(u32, u32), Unfit> {
    source.skip(10)?;
    let begin = u32::from_le_bytes(source.bytes()?);
    let header = u32::from_le_bytes(source.bytes()?);
    if !HEADERS.contains(&header) {
        return Err(Unfit::Format(super::Foreign::Unknown));
    }
    // The height is negative when rows run downwards; the oldest header counts in 16 bits.
    let (width, height) = match header {
        12 => (u16::from_le_bytes(source.bytes()?).into(), u16::from_le_bytes(source.bytes()?).into()),
        _ => (i32::from_le_bytes(source.bytes()?).unsigned_abs(), i32::from_le_bytes(source.bytes()?).unsigned_abs()),
    };
    admit(width, height)?;
    let [_, _, depth, _] = source.bytes()?;
    let packing = if header < 40 { 0 } else { u32::from_le_bytes(source.bytes()?) };
    source.go_to(begin.into())?;
    match (packing, depth) {
        (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) | (3 | 6, 16 | 32) => {
            let row = (u64::from(width) * u64::from(depth)).div_ceil(8);
            // The padding of the last row is often left out.
            source.skip(row.next_multiple_of(4) * (u64::from(height) - 1) + row)?;
        }
        (1, 8) => runs(source, height, 8)?,
        (2, 4) => runs(source, height, 4)?,
        (4 | 5, _) => return Err(Unfit::Unsupported("a JPEG or PNG within a BMP")),
        _ => return Err(Unfit::Damaged("its header makes no sense")),
    }
    Ok((width, height))
}

/// Runs up to their end mark, or to the end of the last row.
fn runs(source: &mut Source, height: u32, depth: u64) -> Result<(), Unfit> {
    let mut row = 0;
    while row < height {
        match source.bytes()? {
            [0, 0] => row += 1,
            [0, 1] => break,
            [0, 2] => row += u32::from(source.bytes::<2>()?[1]),
            [0, count] => source.skip((u64::from(count) * depth).div_ceil(8).next_multiple_of(2))?,
            [_, _] => {}
        }
    }
    Ok(())
}
