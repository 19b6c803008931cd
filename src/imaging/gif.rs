//! GIF: blocks up to a trailer. The first frame is unpacked, since that is what a photo shows; of the others the
//! structure is walked.

use super::source::Source;
use super::unpack::Unpacker;
use super::{Admit, Unfit};
use weezl::BitOrder;
use weezl::decode::Configuration;

/// Reads a GIF to its trailer; whatever follows that does not matter.
pub fn read(source: &mut Source, admit: &Admit) -> Result<(u32, u32), Unfit> {
    source.skip(6)?;
    let [w0, w1, h0, h1, flags, _, _] = source.bytes()?;
    let (width, height) = (u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into());
    admit(width, height)?;
    skip_palette(source, flags)?;
    let mut frames = 0_u64;
    loop {
        match source.byte()? {
            b'!' => {
                source.skip(1)?;
                skip_blocks(source)?;
            }
            b',' => {
                let [_, _, _, _, w0, w1, h0, h1, flags] = source.bytes()?;
                let size = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
                skip_palette(source, flags)?;
                let code_size = source.byte()?;
                if frames == 0 {
                    // A frame may be larger than the picture, and would then cost more than it.
                    admit_frame(size, admit)?;
                    unpack(source, u64::from(size.0) * u64::from(size.1), code_size)?;
                }
                skip_blocks(source)?;
                frames += 1;
            }
            b';' if frames > 0 => return Ok((width, height)),
            b';' => return Err(Unfit::Damaged("it has no frame")),
            // Some writers leave a zero too many between blocks.
            0 => {}
            _ => return Err(Unfit::Damaged("it has a block that is none")),
        }
    }
}

fn admit_frame((width, height): (u16, u16), admit: &Admit) -> Result<(), Unfit> {
    match admit(width.into(), height.into()) {
        Err(Unfit::Ratio { .. } | Unfit::NoPixels) | Ok(()) => Ok(()),
        Err(other) => Err(other),
    }
}

fn skip_palette(source: &mut Source, flags: u8) -> Result<(), Unfit> {
    if flags & 0x80 == 0 { Ok(()) } else { source.skip(3 << ((flags & 7) + 1)) }
}

fn skip_blocks(source: &mut Source) -> Result<(), Unfit> {
    loop {
        match source.byte()? {
            0 => return Ok(()),
            length => source.skip(length.into())?,
        }
    }
}

/// Unpacks blocks until they have given so many pixels.
fn unpack(source: &mut Source, pixels: u64, code_size: u8) -> Result<(), Unfit> {
    if !(1..=8).contains(&code_size) {
        return Err(Unfit::Damaged("its compressed data is no such"));
    }
    let lzw = Configuration::new(BitOrder::Lsb, code_size).with_yield_on_full_buffer(true).build();
    let (mut unpacker, mut done) = (Unpacker::Lzw(lzw), 0);
    while done < pixels {
        let length = source.byte()?;
        let before = source.place();
        if length == 0 {
            return Err(Unfit::Damaged("it has fewer pixels than it says"));
        }
        done += unpacker.count(source, length.into(), pixels - done)?;
        source.go_to(before + u64::from(length))?;
    }
    Ok(())
}
