//! Real images of many writers in `tests/fixtures/images`, cut off at every byte and damaged at random.

mod bombs;
mod fit;
mod jpeg;
mod png;
mod tiff;

use super::{FittedPhoto, ForeignFormat, ImageInfo, ImageRejection, PhotoLimits, verify};
use crate::domain::ImageFormat;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 20);
    files
}

fn photos() -> impl Iterator<Item = (String, Vec<u8>)> {
    fixtures().into_iter().filter(|(name, _)| !name.ends_with(".webp"))
}

fn check(bytes: &[u8]) -> Result<ImageInfo, ImageRejection> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    verify(file.path())
}

fn fitted(bytes: &[u8], limits: PhotoLimits) -> Result<(FittedPhoto, Vec<u8>), ImageRejection> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let shrunk = super::fit(file.path(), out.path(), limits)?;
    let bytes = std::fs::read(out.path()).unwrap();
    let info = verify(out.path()).unwrap();
    assert_eq!((info.format, info.width, info.height), (shrunk.format, shrunk.width, shrunk.height));
    assert_eq!(bytes.len() as u64, shrunk.bytes);
    Ok((shrunk, bytes))
}

#[test]
fn images_of_all_writers_are_taken_with_their_dimensions() {
    for (name, bytes) in photos() {
        let info = check(&bytes).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!((info.width, info.height), (45, 29), "{name}");
        assert_eq!(info.progressive, name.contains("progressive"), "{name}");
        let and_more = [&bytes[..], b"what some cameras write behind the end \xff\xd9\0\0"].concat();
        assert_eq!(check(&and_more).ok(), Some(info), "{name} with something behind it");
    }
}

#[test]
fn an_image_that_is_cut_off_anywhere_is_refused() {
    for (name, bytes) in photos() {
        // The padding of a BMP's last row and of a TIFF's last value is no part of the picture.
        let needed = match name.rsplit('.').next() {
            Some("bmp") => bytes.len() - 3,
            Some("tif") => bytes.len() - 1,
            _ => bytes.len(),
        };
        for length in 0..needed {
            match check(&bytes[..length]) {
                Err(ImageRejection::Truncated | ImageRejection::Damaged(_)) => {}
                Err(ImageRejection::Format(_)) if length < ImageFormat::SNIFF_BYTES => {}
                other => panic!("{name} cut at {length} of {}: {other:?}", bytes.len()),
            }
        }
    }
}

#[test]
fn damage_at_random_neither_panics_nor_hangs() {
    let (mut taken, mut refused) = (0, 0);
    for (name, bytes) in photos() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut bytes = bytes.clone();
            for _ in 0..random.usize(1..5) {
                let at = random.usize(..bytes.len());
                match random.u8(..4) {
                    0 => bytes[at] = random.u8(..),
                    1 => bytes[at] ^= 1 << random.u8(..8),
                    2 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, random.u8(..)),
                }
            }
            let begin = Instant::now();
            match check(&bytes) {
                Ok(_) => taken += 1,
                Err(ImageRejection::File(error)) => panic!("{name}, {seed}: {error}"),
                Err(_) => refused += 1,
            }
            // A changed header may well claim 25 million pixels, and be believed until the data ends.
            assert!(begin.elapsed() < Duration::from_secs(5), "{name}, {seed}");
        }
    }
    println!("of damaged images {taken} still decode, {refused} do not");
    assert!(taken > 0 && refused > taken);
}

#[test]
fn what_libraries_encode_is_taken_and_decodes_again_after_shrinking() {
    let mut random = fastrand::Rng::with_seed(3);
    for (width, height) in [(1, 1), (7, 9), (300, 20), (64, 200)] {
        let pixels = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, random.u8(..)]));
        for format in [
            image::ImageFormat::Jpeg,
            image::ImageFormat::Png,
            image::ImageFormat::Gif,
            image::ImageFormat::Bmp,
            image::ImageFormat::Tiff,
            image::ImageFormat::WebP,
        ] {
            let mut bytes = std::io::Cursor::new(Vec::new());
            pixels.write_to(&mut bytes, format).unwrap();
            let bytes = bytes.into_inner();
            match check(&bytes) {
                Ok(info) => assert_eq!((info.width, info.height), (width, height)),
                Err(ImageRejection::Format(ForeignFormat::WebP)) => assert_eq!(format, image::ImageFormat::WebP),
                Err(other) => panic!("{format:?} {width} x {height}: {other}"),
            }
            let (shrunk, _) = fitted(&bytes, PhotoLimits { side: 50, ..PhotoLimits::default() }).unwrap();
            assert_eq!(shrunk.width.max(shrunk.height), width.max(height).min(50), "{format:?}");
        }
    }
}
