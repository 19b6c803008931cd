//! What width and height alone tell, before any pixel is read.

use super::limits::{DECODE_LIMIT_BYTES, DIMENSIONS_LIMIT, RATIO_LIMIT};
use super::rejection::ImageRejection;

/// Decides from width and height whether the rest of an image is read.
pub type GeometryCheck = dyn Fn(u32, u32) -> Result<(), ImageRejection>;

/// Takes what Telegram takes as a photo.
pub fn check_photo(width: u32, height: u32) -> Result<(), ImageRejection> {
    match u64::from(width) + u64::from(height) > DIMENSIONS_LIMIT && width.min(height) > 0 {
        true => Err(ImageRejection::Dimensions { width, height }),
        false => check_ratio(width, height),
    }
}

/// Takes what can be decoded to make a photo of it: scaling does not change the ratio, and no format needs less than a
/// byte of memory for a pixel.
pub fn check_decodable(width: u32, height: u32) -> Result<(), ImageRejection> {
    check_ratio(width, height)?;
    check_pixels(width, height)
}

/// Takes any image that is not too large to be read to its end.
pub fn check_readable(width: u32, height: u32) -> Result<(), ImageRejection> {
    match width.min(height) {
        0 => Err(ImageRejection::NoPixels),
        _ => check_pixels(width, height),
    }
}

fn check_pixels(width: u32, height: u32) -> Result<(), ImageRejection> {
    match u64::from(width) * u64::from(height) > DECODE_LIMIT_BYTES {
        true => Err(ImageRejection::TooLarge { width, height }),
        false => Ok(()),
    }
}

fn check_ratio(width: u32, height: u32) -> Result<(), ImageRejection> {
    match u64::from(width.min(height)) {
        0 => Err(ImageRejection::NoPixels),
        short if u64::from(width.max(height)) > RATIO_LIMIT * short => Err(ImageRejection::Ratio { width, height }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_is_what_telegram_takes() {
        for (width, height, code) in [
            (5000, 5000, "ok"),
            (9999, 1, "ratio"),
            (2000, 100, "ok"),
            (2001, 100, "ratio"),
            (5000, 5001, "dimensions"),
            (u32::MAX, u32::MAX, "dimensions"),
            (u32::MAX, 1, "dimensions"),
            (0, 10, "none"),
            (0, 20_000, "none"),
        ] {
            let verdict = match check_photo(width, height) {
                Ok(()) => "ok",
                Err(ImageRejection::Ratio { .. }) => "ratio",
                Err(ImageRejection::Dimensions { .. }) => "dimensions",
                Err(ImageRejection::NoPixels) => "none",
                Err(_) => "other",
            };
            assert_eq!(verdict, code, "{width} x {height}");
        }
    }
}
