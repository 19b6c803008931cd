//! GIF: blocks up to a trailer. The first frame is unpacked, since that is what a photo shows; of the others the
//! structure is walked.

use super::geometry::GeometryCheck;
use super::image_file::ImageFile;
use super::rejection::ImageRejection;
use super::unpack::Unpacker;
use weezl::BitOrder;
use weezl::decode::Configuration;

/// Reads a GIF to its trailer; whatever follows that does not matter.
pub fn read(file: &mut ImageFile, check: &GeometryCheck) -> Result<(u32, u32), ImageRejection> {
    file.skip(6)?;
    let [w0, w1, h0, h1, flags, _, _] = file.read_array()?;
    let (width, height) = (u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into());
    check(width, height)?;
    skip_palette(file, flags)?;
    let mut frames = 0_u64;
    loop {
        match file.read_byte()? {
            b'!' => {
                file.skip(1)?;
                skip_blocks(file)?;
            }
            b',' => {
                let [_, _, _, _, w0, w1, h0, h1, flags] = file.read_array()?;
                let size = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
                skip_palette(file, flags)?;
                let code_size = file.read_byte()?;
                if frames == 0 {
                    // A frame may be larger than the picture, and would then cost more than it.
                    check_frame(size, check)?;
                    unpack(file, u64::from(size.0) * u64::from(size.1), code_size)?;
                }
                skip_blocks(file)?;
                frames += 1;
            }
            b';' if frames > 0 => return Ok((width, height)),
            b';' => return Err(ImageRejection::Damaged("it has no frame")),
            // Some writers leave a zero too many between blocks.
            0 => {}
            _ => return Err(ImageRejection::Damaged("it has a block that is none")),
        }
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

/// Unpacks blocks until they have given so many pixels.
fn unpack(file: &mut ImageFile, pixels: u64, code_size: u8) -> Result<(), ImageRejection> {
    if !(1..=8).contains(&code_size) {
        return Err(ImageRejection::Damaged("its compressed data is no such"));
    }
    let lzw = Configuration::new(BitOrder::Lsb, code_size).with_yield_on_full_buffer(true).build();
    let (mut unpacker, mut done) = (Unpacker::Lzw(lzw), 0);
    while done < pixels {
        let length = file.read_byte()?;
        let before = file.position();
        if length == 0 {
            return Err(ImageRejection::Damaged("it has fewer pixels than it says"));
        }
        done += unpacker.count(file, length.into(), pixels - done)?;
        file.seek_to(before + u64::from(length))?;
    }
    Ok(())
}
