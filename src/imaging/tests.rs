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
            Some("tif") => bytes.len() - 1,
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
    // There is a marker wherever FF is followed by this.
    let mut with_fill = jpeg[..2].to_vec();
    for pair in jpeg[2..].windows(2) {
        let marks = pair[0] == 0xFF && (0xC0..0xFF).contains(&pair[1]);
        with_fill.extend_from_slice(if marks { &[0xFF, 0xFF, 0xFF, 0xFF] } else { &pair[..1] });
    }
    with_fill.push(0xD9);
    assert!(with_fill.len() > jpeg.len() + 30);
    let noise = {
        let mut random = fastrand::Rng::with_seed(7);
        (0..200_000).map(|_| random.u8(..)).collect::<Vec<u8>>()
    };
    let texts = [chunk(b"tEXt", &noise), chunk(b"eXIf", &noise), chunk(b"iCCP", b"x"), chunk(b"zTXt", b"")].concat();
    let pixels = zeros(29 * (1 + 45 * 6));
    for (case, bytes) in [
        ("a JPEG with fill bytes", with_fill),
        ("a JPEG with a megabyte of metadata", [&jpeg[..2], &segment(0xE1).repeat(16), &jpeg[2..]].concat()),
        ("a JPEG with garbage before a marker", [&jpeg[..20], b"\0\0\0", &jpeg[20..]].concat()),
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
    let mut random = fastrand::Rng::with_seed(5);
    let glass = image::RgbaImage::from_fn(300, 200, |_, _| image::Rgba([200, 0, 0, random.u8(90..110)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    glass.write_to(&mut bytes, image::ImageFormat::WebP).unwrap();
    let bytes = bytes.into_inner();
    let (shrunk, _) = fitted(&bytes, Limits::default()).unwrap();
    assert_eq!(shrunk.format, ImageFormat::Png);
    let (shrunk, jpeg) = fitted(&bytes, Limits { bytes: 9000, side: 2560 }).unwrap();
    assert!(shrunk.format == ImageFormat::Jpeg && shrunk.bytes <= 9000 && shrunk.width >= 150, "{shrunk:?}");
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

/// A TIFF of one strip that says these things of itself.
fn tiff_of(width: u32, height: u32, packing: u32, strip: (u32, u32), data: &[u8]) -> Vec<u8> {
    let fields =
        [(256, width), (257, height), (258, 8), (259, packing), (262, 1), (273, strip.0), (277, 1), (279, strip.1)];
    let mut bytes = b"II*\0\x08\0\0\0\x08\0".to_vec();
    for (tag, value) in fields {
        bytes.extend((tag as u16).to_le_bytes());
        bytes.extend([4, 0, 1, 0, 0, 0]);
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(data);
    bytes
}

fn jpeg_head(frame: u8, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
    bytes.extend([1; 64]);
    bytes.extend([0xFF, frame, 0, 17, 8]);
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    // One code of one bit, for the symbol that ends as much as it can: 32,767 blocks and more.
    for class in [0x00, 0x10] {
        bytes.extend([0xFF, 0xC4, 0, 20, class, 1]);
        bytes.extend([0; 15]);
        bytes.push(if class == 0 { 0 } else { 0xE0 });
    }
    bytes
}

fn scan(head: &[u8], data: &[u8]) -> Vec<u8> {
    [&[0xFF, 0xDA, 0, 6 + 2 * head[0]], head, data].concat()
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let gigabyte = zeros(1 << 30);
    let small = zeros(64 * 65);
    let png_with = |name: &[u8; 4], prefix: &[u8]| {
        let text = chunk(name, &[prefix, &gigabyte].concat());
        [head(64, 64, 8, 0, 0), text, chunk(b"IDAT", &small), chunk(b"IEND", b"")].concat()
    };
    let gif_head = |width: u16, height: u16| {
        let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
        [b"GIF89a", &size[..], b"\0\0\0"].concat()
    };
    let gif_frame = |width: u16, height: u16| {
        let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
        [b",\0\0\0\0", &size[..], b"\0\x02\x02D\x01\0"].concat()
    };
    let mut apng = [head(64, 64, 8, 0, 0), chunk(b"acTL", &[0, 1, 0x86, 0xA0, 0, 0, 0, 0])].concat();
    apng.extend(chunk(b"IDAT", &small));
    apng.extend(chunk(b"fdAT", &[0; 9]).repeat(100_000));
    apng.extend(chunk(b"IEND", b""));
    let webp = |width: u32, height: u32| {
        let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
        [b"RIFF\x2a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0", &w[..3], &h[..3], b"VP8L\x05\0\0\0\x2f\xff\xff\xff\x0f"].concat()
    };
    let progressive = jpeg_head(0xC2, 5000, 5000);
    let empty_scans = scan(&[1, 1, 0x00, 1, 63, 0x10], &[0; 48]).repeat(20_000);
    let dc = scan(&[3, 1, 0, 2, 0, 3, 0, 0, 0, 0], &vec![0; 3 * 625 * 625 / 8 + 1]);
    vec![
        (
            "PNG of 41 bytes, 8,000,000 x 4,294,967,295",
            [head(8_000_000, u32::MAX, 8, 6, 0), chunk(b"IDAT", b"")[..8].to_vec()].concat(),
        ),
        ("PNG of 65 bytes, 16,384 x 16,384", png_of(16_384, 16_384, 8, 6, 0, &zeros(0)[..8])),
        ("PNG 5,000 x 5,000 without data", png_of(5000, 5000, 16, 6, 0, &zeros(0))),
        ("PNG 64 x 64 that unpacks to 1 GiB", png_of(64, 64, 8, 0, 0, &gigabyte)),
        ("PNG with zTXt of 1 GiB", png_with(b"zTXt", b"a\0\0")),
        ("PNG with iTXt of 1 GiB", png_with(b"iTXt", b"a\0\x01\0\0\0")),
        ("PNG with iCCP of 1 GiB", png_with(b"iCCP", b"a\0\0")),
        (
            "PNG with a chunk of 2 GiB that is not there",
            [head(64, 64, 8, 0, 0), b"\x7f\xff\xff\xffeXIf".to_vec()].concat(),
        ),
        ("APNG of 100,000 frames", apng),
        ("GIF 65,535 x 65,535", [gif_head(65_535, 65_535), gif_frame(65_535, 65_535), b";".to_vec()].concat()),
        (
            "GIF 9 x 9 with a frame of 65,535 x 65,535",
            [gif_head(9, 9), gif_frame(65_535, 65_535), b";".to_vec()].concat(),
        ),
        ("GIF of 100,000 frames", [gif_head(1, 1), gif_frame(1, 1).repeat(100_000), b";".to_vec()].concat()),
        ("JPEG 65,500 x 65,500", jpeg_head(0xC0, 65_500, 65_500)),
        ("JPEG 65,500 x 65,500, progressive", jpeg_head(0xC2, 65_500, 65_500)),
        ("JPEG 5,000 x 5,000, progressive, without data", progressive.clone()),
        ("JPEG 5,000 x 5,000 of 20,000 scans", [progressive, dc, empty_scans, b"\xff\xd9".to_vec()].concat()),
        ("JPEG of 2,500,000 segments", [&b"\xff\xd8"[..], &b"\xff\xe0\0\x02".repeat(2_500_000)].concat()),
        ("TIFF 4,000,000,000 x 4,000,000,000", tiff_of(4_000_000_000, 4_000_000_000, 8, (110, 20), &[0; 20])),
        ("TIFF with a strip of 4 GB that is not there", tiff_of(5000, 5000, 1, (110, u32::MAX), b"")),
        ("TIFF whose strip unpacks to 1 GiB", tiff_of(64, 64, 8, (110, gigabyte.len() as u32), &gigabyte)),
        ("TIFF 5,000 x 5,000 of 65,535 tags", [b"II*\0\x08\0\0\0\xff\xff".to_vec(), vec![1; 12 * 65_535]].concat()),
        (
            "BMP 2,147,483,647 x 2,147,483,647",
            [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f\x01\0\x18\0"[..], &[0; 24]]
                .concat(),
        ),
        ("WebP whose VP8X says 16,777,216 x 16,777,216", webp(1 << 24, 1 << 24)),
        ("WebP whose VP8X and VP8L disagree", webp(100, 100)),
    ]
}

/// The most memory that the process ever had resident, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Alone in a process, since it measures its memory: another one of this program runs it.
#[test]
#[ignore = "run by bombs_are_told_quickly_and_cost_nothing"]
fn bombs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = bombs()
        .into_iter()
        .flat_map(|(name, bytes)| {
            let half = bytes[..bytes.len() * 2 / 3].to_vec();
            [(name.to_owned(), bytes), (format!("{name}, truncated"), half)]
        })
        .enumerate()
        .map(|(number, (name, bytes))| {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, &bytes).unwrap();
            (name, path, bytes.len())
        })
        .collect();
    println!();
    // What is resident for the first time, code too, is not the first bomb's.
    for (_, path, _) in &files {
        let _ = verify(path);
    }
    for (name, path, size) in files {
        // Resets the peak to what is resident now.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak();
        for (what, work) in [
            ("verify", &verify as &dyn Fn(&Path) -> Result<ImageInfo, Unfit>),
            ("fit", &|path| {
                let out = path.with_extension("out");
                fit(path, &out, Limits::default()).and_then(|_| verify(&out))
            }),
        ] {
            let begin = Instant::now();
            let verdict = work(&path);
            let (time, memory) = (begin.elapsed(), peak() - before);
            let verdict = match verdict {
                Ok(_) => "taken".to_owned(),
                Err(unfit) => format!("{unfit:?}"),
            };
            println!(
                "BOMB {what:6} {:8.2} ms {memory:6} KiB  {name} ({size} bytes): {verdict}",
                time.as_secs_f64() * 1e3
            );
        }
    }
}

#[test]
fn bombs_are_told_quickly_and_cost_nothing() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        // Memory that was freed is given back, so that what is used again counts again.
        .envs([("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")])
        .args(["--ignored", "--exact", "imaging::tests::bombs_alone", "--nocapture", "--test-threads", "1"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<_> = output.lines().filter(|line| line.starts_with("BOMB")).collect();
    assert!(lines.len() >= 4 * 15, "{output}");
    for line in lines {
        println!("{line}");
        let words: Vec<_> = line.split_whitespace().collect();
        let (time, memory): (f64, u64) = (words[2].parse().unwrap(), words[4].parse().unwrap());
        // A header that breaks the limits is the end of it. The others cost what as large an honest image does.
        let told = ["Dimensions {", "Ratio {", "WebP)"].iter().any(|verdict| line.contains(verdict));
        let (slowest, most) = if told && words[1] == "verify" { (20.0, 2) } else { (5000.0, 13) };
        assert!(time < slowest && memory < most << 10, "{line}");
    }
}
