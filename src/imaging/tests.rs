//! Real images of many writers in `tests/fixtures/images`, cut off at every byte and damaged at random; and bombs.

use super::*;
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

fn check(bytes: &[u8]) -> Result<ImageInfo, Unfit> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    verify(file.path())
}

fn fitted(bytes: &[u8], limits: Limits) -> Result<(Shrunk, Vec<u8>), Unfit> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let shrunk = fit(file.path(), out.path(), limits)?;
    let bytes = std::fs::read(out.path()).unwrap();
    let info = verify(out.path()).unwrap();
    assert_eq!((info.format, info.width, info.height), (shrunk.format, shrunk.width, shrunk.height));
    assert_eq!(bytes.len() as u64, shrunk.bytes);
    Ok((shrunk, bytes))
}

mod png_parts {
    use flate2::write::ZlibEncoder;
    use flate2::{Compression, Crc};
    use std::io::Write;

    pub fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes()[..], name, data, &crc.sum().to_be_bytes()].concat()
    }

    pub fn head(width: u32, height: u32, depth: u8, colour: u8, interlace: u8) -> Vec<u8> {
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, interlace]].concat();
        [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header)].concat()
    }

    pub fn zeros(count: usize) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        (0..count / 4096).for_each(|_| encoder.write_all(&[0; 4096]).unwrap());
        encoder.write_all(&vec![0; count % 4096]).unwrap();
        encoder.finish().unwrap()
    }
}

use png_parts::{chunk, head, zeros};

fn png_of(width: u32, height: u32, depth: u8, colour: u8, interlace: u8, data: &[u8]) -> Vec<u8> {
    let (head, data) = (head(width, height, depth, colour, interlace), chunk(b"IDAT", data));
    [head, data, chunk(b"IEND", b"")].concat()
}

#[test]
fn images_of_all_writers_are_taken_with_their_dimensions() {
    for (name, bytes) in photos() {
        let info = check(&bytes).unwrap_or_else(|unfit| panic!("{name}: {unfit}"));
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
            Some("tif") => bytes.len() - 8,
            _ => bytes.len(),
        };
        for length in 0..needed {
            match check(&bytes[..length]) {
                Err(Unfit::Cut | Unfit::Damaged(_)) => {}
                Err(Unfit::Format(_)) if length < ImageFormat::SNIFF_BYTES => {}
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
                Err(Unfit::File(error)) => panic!("{name}, {seed}: {error}"),
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
fn oddities_that_decode_are_taken() {
    let photos: Vec<_> = photos().collect();
    let jpeg = &photos.iter().find(|(name, _)| name == "baseline-420-restarts.jpg").unwrap().1;
    let segment = |marker: u8| [&[0xFF, marker, 0xFF, 0xFF][..], &vec![marker; 0xFFFD]].concat();
    let mut filled = jpeg[..2].to_vec();
    for byte_pair in jpeg[2..].chunks(1) {
        // Fill bytes before every marker: there is a marker wherever a byte follows FF that is not 0.
        filled.extend_from_slice(byte_pair);
    }
    let mut with_fill = Vec::new();
    for (at, &byte) in filled.iter().enumerate() {
        let marks = byte == 0xFF && filled.get(at + 1).is_some_and(|next| (0xC0..0xFF).contains(next));
        with_fill.extend_from_slice(if marks { &[0xFF, 0xFF, 0xFF][..] } else { &[] });
        with_fill.push(byte);
    }
    assert!(with_fill.len() > filled.len());
    let noise = {
        let mut random = fastrand::Rng::with_seed(7);
        (0..200_000).map(|_| random.u8(..)).collect::<Vec<u8>>()
    };
    let texts = [chunk(b"tEXt", &noise), chunk(b"eXIf", &noise), chunk(b"iCCP", b"x"), chunk(b"zTXt", b"")].concat();
    let pixels = zeros(29 * (1 + 45 * 6));
    for (case, bytes) in [
        ("a JPEG with fill bytes", with_fill),
        ("a JPEG with a megabyte of metadata", [&jpeg[..2], &segment(0xE1).repeat(16), &jpeg[2..]].concat()),
        ("a JPEG with garbage before a marker", [&jpeg[..2], b"\0\0\0", &jpeg[2..]].concat()),
        ("an interlaced PNG", png_of(45, 29, 8, 2, 1, &zeros(45 * 29 * 3 + 80))),
        ("an interlaced PNG of one pixel", png_of(1, 1, 1, 0, 1, &zeros(2))),
        ("a 16-bit PNG", png_of(45, 29, 16, 2, 0, &pixels)),
        ("a PNG with more pixels than it needs", png_of(45, 29, 8, 2, 0, &pixels)),
        ("a PNG in many chunks", {
            let data: Vec<u8> = pixels.chunks(3).flat_map(|piece| chunk(b"IDAT", piece)).collect();
            [head(45, 29, 16, 2, 0), texts, data, chunk(b"IDAT", b""), chunk(b"IEND", b"")].concat()
        }),
        ("the largest photo", png_of(5000, 5000, 8, 6, 0, &zeros(5000 * 20_001))),
    ] {
        assert!(check(&bytes).is_ok(), "{case}: {:?}", check(&bytes));
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
                Err(Unfit::Format(Foreign::WebP)) => assert_eq!(format, image::ImageFormat::WebP),
                Err(other) => panic!("{format:?} {width} x {height}: {other}"),
            }
            let (shrunk, _) = fitted(&bytes, Limits { side: 50, ..Limits::default() }).unwrap();
            assert_eq!(shrunk.width.max(shrunk.height), width.max(height).min(50), "{format:?}");
        }
    }
}

#[test]
fn shrinking_turns_upright_keeps_what_is_transparent_and_gets_below_the_limit() {
    let find = |name: &str| fixtures().into_iter().find(|(other, _)| other == name).unwrap().1;
    let (shrunk, _) = fitted(&find("sideways.jpg"), Limits::default()).unwrap();
    assert_eq!((shrunk.format, shrunk.width, shrunk.height), (ImageFormat::Jpeg, 29, 45));
    for (name, bytes) in fixtures() {
        let (shrunk, _) = fitted(&bytes, Limits::default()).unwrap_or_else(|unfit| panic!("{name}: {unfit}"));
        assert_eq!(shrunk.width + shrunk.height, 74, "{name}");
    }
    let glass = image::RgbaImage::from_pixel(300, 200, image::Rgba([200, 0, 0, 100]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    glass.write_to(&mut bytes, image::ImageFormat::WebP).unwrap();
    let bytes = bytes.into_inner();
    let (shrunk, _) = fitted(&bytes, Limits::default()).unwrap();
    assert_eq!(shrunk.format, ImageFormat::Png);
    let (shrunk, jpeg) = fitted(&bytes, Limits { bytes: 600, side: 2560 }).unwrap();
    assert!(shrunk.format == ImageFormat::Jpeg && shrunk.bytes <= 600 && shrunk.width > 30, "{shrunk:?}");
    let pixel = image::load_from_memory(&jpeg).unwrap().to_rgb8()[(5, 5)];
    assert!(pixel.0[0] > 220 && (140..170).contains(&pixel.0[1]), "on white: {pixel:?}");
}

#[test]
fn what_cannot_be_shrunk_says_why() {
    let find = |name: &str| fixtures().into_iter().find(|(other, _)| other == name).unwrap().1;
    let narrow = png_of(4200, 200, 1, 0, 0, &zeros(200 * (1 + 525)));
    assert!(matches!(fitted(&narrow, Limits::default()), Err(Unfit::Ratio { width: 4200, height: 200 })));
    let huge = png_of(20_000, 10_000, 8, 2, 0, &zeros(10_000));
    assert!(matches!(fitted(&huge, Limits::default()), Err(Unfit::Damaged(_))), "it has few of its pixels");
    let huge = png_of(20_000, 10_000, 8, 2, 0, &zeros(10_000 * 60_001));
    assert!(matches!(fitted(&huge, Limits::default()), Err(Unfit::TooLarge { .. })));
    let text = b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    assert!(matches!(fitted(text, Limits::default()), Err(Unfit::Format(Foreign::Markup))));
    for name in ["baseline-444.jpg", "progressive-420.jpg", "lossy.webp", "lossless.webp"] {
        let bytes = find(name);
        let cut = fitted(&bytes[..bytes.len() * 2 / 3], Limits::default());
        assert!(matches!(cut, Err(Unfit::Cut | Unfit::Damaged(_))), "{name}: {cut:?}");
    }
}

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
        let verdict = match check_geometry(width, height) {
            Ok(()) => "ok",
            Err(Unfit::Ratio { .. }) => "ratio",
            Err(Unfit::Dimensions { .. }) => "dimensions",
            Err(Unfit::NoPixels) => "none",
            Err(_) => "other",
        };
        assert_eq!(verdict, code, "{width} x {height}");
    }
}
