//! The limits of a photo, and those of ours.

/// Width and height of a photo together, in pixels (Bot API, sendPhoto).
pub const DIMENSIONS_LIMIT: u64 = 10_000;
/// The longer side of a photo over the shorter (Bot API, sendPhoto).
pub const RATIO_LIMIT: u64 = 20;
/// The most memory that an image is decoded into. A baseline JPEG may have 80 megapixels, a progressive one 28 (one in
/// CMYK takes a little more than this), a PNG with alpha 64.
pub const DECODE_LIMIT_BYTES: u64 = 256 << 20;
