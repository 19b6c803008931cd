//! Real images of many writers in `tests/fixtures/images`, cut off at every byte and damaged at random.

mod bombs;
mod corpus;
mod field_cases;
mod fit;
mod fuzz;
mod jpeg;
mod png;
mod tiff;

use super::{FittedPhoto, ForeignFormat, ImageInfo, ImageRejection, Oversight, PhotoLimits, verify};
use crate::domain::{FileContent, ImageFormat};
use bytes::Bytes;
use std::io::Write;
use std::path::PathBuf;

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
    let in_file = verify(&FileContent::File(file.path().to_owned()), &Oversight::none());
    let in_memory = verify(&in_memory(bytes), &Oversight::none());
    assert_eq!(format!("{in_memory:?}"), format!("{in_file:?}"), "wherever it is");
    in_file
}

fn in_memory(bytes: &[u8]) -> FileContent {
    FileContent::Memory(Bytes::copy_from_slice(bytes))
}

fn fitted(bytes: &[u8], limits: PhotoLimits) -> Result<(FittedPhoto, Vec<u8>), ImageRejection> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let fit = |content: FileContent| super::fit(&content, out.path(), limits, &Oversight::none());
    let from_memory = fit(in_memory(bytes));
    let from_file = fit(FileContent::File(file.path().to_owned()));
    assert_eq!(format!("{from_memory:?}"), format!("{from_file:?}"), "wherever it is");
    let shrunk = from_file?;
    let bytes = std::fs::read(out.path()).unwrap();
    let info = verify(&FileContent::File(out.path().to_owned()), &Oversight::none()).unwrap();
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

/// The segments of a JPEG before its first scan, and what comes behind them.
fn segments(jpeg: &[u8]) -> (Vec<&[u8]>, Vec<u8>) {
    let (mut segments, mut at) = (Vec::new(), 2);
    while jpeg[at + 1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        segments.push(&jpeg[at..at + length]);
        at += length;
    }
    (segments, jpeg[at..].to_vec())
}

/// How many bytes of a file its picture takes: what may be behind them, nobody misses.
fn picture_end(name: &str, bytes: &[u8]) -> usize {
    match name.rsplit('.').next() {
        // The padding of the last row, or of the last value.
        Some("bmp") => bytes.len() - 3,
        Some("tif") => bytes.len() - 1,
        Some("jpg") => bytes.len() - 2,
        Some("png") => {
            let (mut at, mut end) = (8, 0);
            while at < bytes.len() {
                let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
                let name = &bytes[at + 4..at + 8];
                at += 12 + length;
                end = if name == b"IDAT" { at } else { end };
            }
            end
        }
        _ => bytes.len(),
    }
}

#[test]
fn an_image_that_is_cut_off_anywhere_is_refused() {
    for (name, bytes) in photos() {
        for length in 0..picture_end(&name, &bytes) {
            match check(&bytes[..length]) {
                Err(ImageRejection::Truncated | ImageRejection::Damaged(_)) => {}
                Err(ImageRejection::Format(_)) if length < ImageFormat::SNIFF_BYTES => {}
                // Of a GIF the first frame counts; the library may miss what ends its blocks.
                Ok(_) if name.ends_with(".gif") => {
                    let [cut, whole] = [&bytes[..length], &bytes[..]].map(|bytes| image::load_from_memory(bytes).ok());
                    assert!(cut.is_none() || cut == whole, "{name} cut at {length}: not the same picture");
                }
                other => panic!("{name} cut at {length} of {}: {other:?}", bytes.len()),
            }
        }
    }
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
