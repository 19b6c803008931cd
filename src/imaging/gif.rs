//! GIF: blocks up to a trailer. The first frame is unpacked, since that is what a photo shows; of the others the
//! structure is walked.

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::lzw::{Lzw, LzwVariety};
use super::rejection::ImageRejection;

/// Reads a GIF to its trailer, or to its end if that is behind a frame: viewers miss no trailer. Whatever follows does not
/// matter.
pub fn read(file: &mut ImageFile, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
    file.skip(6)?;
    let [w0, w1, h0, h1, flags, _, _] = file.read_array()?;
    let (width, height) = (u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into());
    check(width, height)?;
    skip_palette(file, flags)?;
    let mut frames = 0_u64;
    loop {
        match file.read_byte() {
            Ok(b'!') => {
                file.skip(1)?;
                skip_blocks(file)?;
            }
            Ok(b',') => {
                match read_frame(file, check, frames) {
                    // The first frame is whole; only what ends its blocks is missing.
                    Ok(BlocksEnd::Missing) if frames == 0 => return Ok((width, height)),
                    Ok(BlocksEnd::Missing) => return Err(ImageRejection::Truncated),
                    Ok(BlocksEnd::There) => {}
                    Err(rejection) => return Err(rejection),
                }
                frames += 1;
            }
            Ok(b';') | Err(ImageRejection::Truncated) if frames > 0 => return Ok((width, height)),
            Ok(b';') => return Err(ImageRejection::Damaged("it has no frame")),
            // Some writers leave a zero too many between blocks.
            Ok(0) => {}
            // Nobody reads on from there, but the first frame is what counts.
            Ok(_) if frames > 0 => return Ok((width, height)),
            Ok(_) => return Err(ImageRejection::Damaged("it has a block that is none")),
            Err(rejection) => return Err(rejection),
        }
    }
}

/// Whether the empty block is there that ends a row of blocks.
enum BlocksEnd {
    There,
    Missing,
}

/// Reads the frame of a number to the end of its blocks.
fn read_frame(file: &mut ImageFile, check: &GeometryCheck, number: u64) -> Result<BlocksEnd, ImageRejection> {
    let [_, _, _, _, w0, w1, h0, h1, flags] = file.read_array()?;
    let size = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    skip_palette(file, flags)?;
    let code_size = file.read_byte()?;
    if number == 0 {
        // A frame may be larger than the picture, and would then cost viewers more than it.
        check_frame(size, check)?;
        unpack(file, u64::from(size.0) * u64::from(size.1), code_size)?;
    }
    match skip_blocks(file) {
        Ok(()) => Ok(BlocksEnd::There),
        Err(ImageRejection::Truncated) => Ok(BlocksEnd::Missing),
        Err(rejection) => Err(rejection),
    }
}

fn check_frame((width, height): (u16, u16), check: &GeometryCheck) -> Result<(), ImageRejection> {
    match check(width.into(), height.into()) {
        Err(ImageRejection::Ratio { .. } | ImageRejection::NoPixels) | Ok(()) => Ok(()),
        Err(other) => Err(other),
    }
}

fn skip_palette(file: &mut ImageFile, flags: u8) -> Result<(), ImageRejection> {
    if flags & 0x80 == 0 { Ok(()) } else { file.skip(3 << ((flags & 7) + 1)) }
}

fn skip_blocks(file: &mut ImageFile) -> Result<(), ImageRejection> {
    loop {
        match file.read_byte()? {
            0 => return Ok(()),
            length => file.skip(length.into())?,
        }
    }
}

/// Unpacks blocks until they have given so many pixels; stays behind the block that gave the last.
fn unpack(file: &mut ImageFile, pixels: u64, code_size: u8) -> Result<(), ImageRejection> {
    if !(1..=11).contains(&code_size) {
        return Err(ImageRejection::Damaged("its compressed data is no such"));
    }
    let (mut lzw, mut block, mut done) = (Lzw::new(LzwVariety::Gif, code_size.into()), [0; 255], 0);
    while done < pixels {
        let length = usize::from(file.read_byte()?);
        if length == 0 || lzw.has_ended() {
            return Err(ImageRejection::Damaged("it has fewer pixels than it says"));
        }
        let mut filled = 0;
        while filled < length && done < pixels {
            let piece = file.available()?;
            let count = piece.len().min(length - filled);
            block[..count].copy_from_slice(&piece[..count]);
            file.consume(count);
            filled += count;
            done += lzw.count(&block[..count], pixels - done)?.1;
        }
        // Viewers do not miss what there may be behind the last pixel.
        match file.skip((length - filled) as u64) {
            Err(ImageRejection::Truncated) if done >= pixels => break,
            skipped => skipped?,
        }
    }
    Ok(())
}
