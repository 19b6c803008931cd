//! PNGs that decode, of any size in pixels and bytes, cheaply: black, with the bytes that make them differ in a chunk that
//! readers pass over.

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// What a PNG without anything else in it has around its pixels and the bytes of its own.
const FRAME: usize = 8 + 25 + 12 + 12 + 12;

/// A black PNG of so many bytes, if it can be as small; the same for the same numbers.
pub fn png(width: u32, height: u32, size: usize, number: u64) -> Vec<u8> {
    let row = 1 + width.div_ceil(8) as usize;
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::fast());
    let black = vec![0; row];
    let written = (0..height).try_for_each(|_| pixels.write_all(&black));
    let pixels = written.and_then(|()| pixels.finish()).expect("memory takes whatever is written");
    let own = size.saturating_sub(FRAME + pixels.len()).max(8);
    let mut image = head(width, height, 1, 0);
    let mut noise: Vec<u8> = number.to_be_bytes().to_vec();
    let mut random = fastrand::Rng::with_seed(number);
    noise.extend(std::iter::repeat_with(|| random.u8(..)).take(own - 8));
    image.extend(chunk(b"noIs", &noise));
    image.extend(chunk(b"IDAT", &pixels));
    image.extend(chunk(b"IEND", b""));
    image
}

/// The signature and header of a PNG.
pub fn head(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header)].concat()
}

/// A chunk of a PNG.
pub fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], name, data, &crc.sum().to_be_bytes()].concat()
}
