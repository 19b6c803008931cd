//! JPEG: segments up to the end mark, and between them scans, whose codes are read to the last block. What they stand
//! for is not computed, so a picture costs no memory but for progressive ones.
//!
//! Our own code, because the JPEG decoders in Rust (`jpeg-decoder`, `zune-jpeg`) hold the file and all of its pixels, of a
//! progressive one its coefficients too: 75 MB to 225 MB for a photo of 25 megapixels, instead of 64 KiB, or 13 MB if it is
//! progressive. They also fill up what is missing of a file that is cut off, which is what has to be found here.

mod frame;
mod huffman;
mod scan;
mod segment;
mod standard;
mod walk;

pub use walk::read;
