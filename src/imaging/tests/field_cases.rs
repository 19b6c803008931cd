//! Pictures that people met in the field, and their neighbours: what every viewer shows is taken, what none does is not.

use super::png::{chunk, head, zeros};
use super::{check, fixtures, photos, segments};
use crate::imaging::{ForeignFormat, ImageRejection};
use std::path::PathBuf;

fn field_image(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/field-images");
    std::fs::read(folder.join(name)).unwrap()
}

fn photo(name: &str) -> Vec<u8> {
    photos().find(|(other, _)| other == name).unwrap().1
}

fn encoded(format: image::ImageFormat) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(8);
    let pixels = image::RgbImage::from_fn(45, 29, |x, _| image::Rgb([x as u8, random.u8(..), random.u8(..)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let (kept, rest) = segments(jpeg);
    let kept = kept.into_iter().filter(|segment| segment[1] != 0xC4);
    [b"\xff\xd8".to_vec(), kept.collect::<Vec<_>>().concat(), rest].concat()
}

fn is_damaged(bytes: &[u8]) -> bool {
    matches!(check(bytes), Err(ImageRejection::Truncated | ImageRejection::Damaged(_)))
}

#[test]
fn case_50_mjpeg_frame_without_huffman_tables() {
    let info = check(&field_image("mjpeg-without-tables.jpg")).unwrap();
    assert_eq!((info.width, info.height), (24, 16));
    // The library encodes with the standard tables.
    let jpeg = encoded(image::ImageFormat::Jpeg);
    let bare = without_tables(&jpeg);
    assert!(bare.len() < jpeg.len() - 400 && check(&bare).is_ok());
    assert!(is_damaged(&bare[..bare.len() / 2]), "half of one");
    // No viewer has tables for a progressive picture.
    let progressive = without_tables(&photo("progressive-420.jpg"));
    assert!(matches!(check(&progressive), Err(ImageRejection::Damaged("a table is missing"))));
}

#[test]
fn case_51_gif_without_its_trailer() {
    let gif = field_image("without-trailer.gif");
    assert_eq!(check(&gif).map(|info| (info.width, info.height)).unwrap(), (24, 16));
    assert!(check(&gif[..gif.len() - 1]).is_ok(), "nor the end of its blocks");
    assert!(is_damaged(&gif[..gif.len() - 20]));
    let animated = photo("animated-interlaced.gif");
    assert!(check(&animated[..animated.len() - 1]).is_ok());
    assert!(is_damaged(&animated[..animated.len() - 20]), "cut off within a frame");
}

#[test]
fn case_52_jpeg_without_its_end_mark() {
    let jpeg = field_image("without-end-mark.jpg");
    assert!(check(&jpeg).is_ok());
    assert!(is_damaged(&jpeg[..jpeg.len() - 8]));
    for (name, jpeg) in photos().filter(|(name, _)| name.ends_with(".jpg")) {
        assert!(jpeg.ends_with(b"\xff\xd9") && check(&jpeg[..jpeg.len() - 2]).is_ok(), "{name}");
        assert!(check(&jpeg[..jpeg.len() - 1]).is_ok(), "{name} with half a mark");
        let with_junk = [&jpeg[..jpeg.len() - 2], b"\0\0\xff\xe0\xff"].concat();
        assert!(check(&with_junk).is_ok(), "{name} with something else in its place");
    }
    // Its first scan shows something, which is not yet the picture.
    let progressive = photo("progressive-420.jpg");
    let scans: Vec<_> = (0..progressive.len() - 1).filter(|at| progressive[*at..].starts_with(b"\xff\xda")).collect();
    assert!(scans.len() > 5 && is_damaged(&progressive[..scans[scans.len() - 1]]));
}

#[test]
fn case_53_png_without_its_end() {
    let png = photo("palette.png");
    assert!(check(&png[..png.len() - 12]).is_ok() && check(&png[..png.len() - 3]).is_ok());
    assert!(is_damaged(&png[..png.len() - 13]), "the checksum of its data is cut off");
}

#[test]
fn case_55_bmp_of_negative_width() {
    assert!(matches!(check(&field_image("negative-width.bmp")), Err(ImageRejection::Damaged("its width is negative"))));
    let mut bmp = encoded(image::ImageFormat::Bmp);
    let height = i32::from_le_bytes(bmp[22..26].try_into().unwrap());
    bmp[22..26].copy_from_slice(&(-height).to_le_bytes());
    assert!(check(&bmp).is_ok(), "rows run downwards");
}

#[test]
fn case_56_png_whose_data_does_not_match_its_checksums() {
    let (data, end) = (zeros(20 * 61), chunk(b"IEND", b""));
    let palette = || chunk(b"PLTE", &[1; 30]);
    let parts = || vec![head(20, 20, 8, 2, 0), palette(), chunk(b"IDAT", &data), chunk(b"tEXt", b"a\0b"), end.clone()];
    assert!(check(&parts().concat()).is_ok());
    for (damaged, taken) in [(0, false), (1, false), (2, false), (3, true), (4, true)] {
        let mut parts = parts();
        *parts[damaged].last_mut().unwrap() ^= 1;
        let verdict = check(&parts.concat());
        assert_eq!(verdict.is_ok(), taken, "{damaged}: {verdict:?}");
        assert!(taken || matches!(verdict, Err(ImageRejection::Damaged(_))));
    }
}

#[test]
fn case_57_jpeg_of_twelve_bits() {
    let mut jpeg = photo("baseline-444.jpg");
    let frame = (0..jpeg.len()).find(|at| jpeg[*at..].starts_with(b"\xff\xc0")).unwrap();
    (jpeg[frame + 1], jpeg[frame + 4]) = (0xC1, 12);
    assert!(matches!(check(&jpeg), Err(ImageRejection::Unsupported(why)) if why.contains("12 bits")));
}

#[test]
fn case_58_garbage_before_a_restart_marker() {
    let mut jpeg = photo("baseline-420-restarts.jpg");
    let mark = (0..jpeg.len()).find(|at| jpeg[*at..].starts_with(b"\xff\xd0")).unwrap();
    jpeg.splice(mark..mark, *b"\x12\x34\0");
    assert!(check(&jpeg).is_ok());
}

#[test]
fn case_59_gif_that_clears_its_codes_twice() {
    // 1 x 1: clear, clear, 0, end, in codes of three bits.
    let data: u16 = 4 | 4 << 3 | 5 << 9;
    let gif = [b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02", &data.to_le_bytes()[..], b"\0;"].concat();
    assert!(check(&gif).is_ok(), "{:?}", check(&gif));
}

#[test]
fn case_60_bytes_behind_the_end_mark() {
    let jpeg = photo("baseline-444.jpg");
    assert!(check(&[&jpeg[..], b"dhav\x10\0\0\0"].concat()).is_ok());
}

#[test]
fn case_61_zeros_between_and_behind_the_blocks_of_a_gif() {
    let gif = photo("animated-interlaced.gif");
    let (blocks, trailer) = gif.split_at(gif.len() - 1);
    assert!(check(&[blocks, &[0; 9], trailer, &[0; 9]].concat()).is_ok());
}

#[test]
fn case_62_snapshot_read_while_it_was_written() {
    for (name, jpeg) in photos().filter(|(name, _)| name.ends_with(".jpg")) {
        for length in [jpeg.len() / 2, jpeg.len() - 20] {
            assert!(is_damaged(&jpeg[..length]), "{name} cut off at {length}");
        }
        let mut begun = jpeg.clone();
        begun[..64].fill(0);
        assert!(matches!(check(&begun), Err(ImageRejection::Format(ForeignFormat::Unknown))), "{name}");
        let mut unfilled = jpeg.clone();
        let half = unfilled.len() / 2;
        unfilled[half..].fill(0);
        assert!(is_damaged(&unfilled), "{name}, the rest still zeros");
    }
}

#[test]
fn case_64_empty_file() {
    let rejection = check(b"").unwrap_err();
    assert!(
        matches!(rejection, ImageRejection::Format(ForeignFormat::Empty)) && rejection.to_string().contains("empty")
    );
}

#[test]
fn case_66_more_pixels_than_a_photo_has() {
    for (width, height) in [(9702, 7168), (22_500, 33_300)] {
        let png = [head(width, height, 8, 2, 0), chunk(b"IDAT", b""), chunk(b"IEND", b"")].concat();
        assert!(matches!(check(&png), Err(ImageRejection::Dimensions { .. })), "{width} x {height}");
    }
}

#[test]
fn case_67_what_telegram_takes_as_no_photo() {
    let webp = fixtures().into_iter().find(|(name, _)| name == "lossy.webp").unwrap().1;
    for (bytes, word) in [
        (&webp[..], "WebP"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "HEIC"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG"),
    ] {
        let advice = check(bytes).unwrap_err().to_string();
        assert!(advice.contains(word) && advice.contains("as a document"), "{advice}");
    }
}

#[test]
fn case_68_varieties_that_hardly_anything_shows() {
    let tiff = |packing: u16| {
        let mut tiff = photo("plain.tif");
        let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
        let field = (0..20).map(|n| directory + 2 + 12 * n).find(|at| tiff[*at..].starts_with(&[3, 1])).unwrap();
        tiff[field + 8..field + 10].copy_from_slice(&packing.to_le_bytes());
        tiff
    };
    let mut arithmetic = photo("baseline-444.jpg");
    let frame = (0..arithmetic.len()).find(|at| arithmetic[*at..].starts_with(b"\xff\xc0")).unwrap();
    arithmetic[frame + 1] = 0xC9;
    // Old JPEG, LZMA, Zstandard: viewers made of libtiff show them.
    for packing in [6, 34_925, 50_000] {
        assert!(check(&tiff(packing)).is_ok(), "{packing}");
    }
    // LERC, WebP.
    for bytes in [tiff(34_887), tiff(50_001), arithmetic] {
        let rejection = check(&bytes).unwrap_err();
        let advice = rejection.to_string();
        assert!(matches!(rejection, ImageRejection::Unsupported(_)) && advice.contains("as a document"), "{advice}");
    }
    let big = check(b"II+\0\x08\0\0\0\0\0\0\0\0\0\0\0").unwrap_err();
    assert!(matches!(big, ImageRejection::Format(ForeignFormat::Unknown)), "{big}");
}
