//! PNG: what a chunk may hold, and what it may claim.

use super::{check, in_memory};
use crate::imaging::{ImageRejection, Oversight, verify_whole};
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

pub fn image_of(width: u32, height: u32, depth: u8, colour: u8, interlace: u8, data: &[u8]) -> Vec<u8> {
    let (head, data) = (head(width, height, depth, colour, interlace), chunk(b"IDAT", data));
    [head, data, chunk(b"IEND", b"")].concat()
}

fn noise(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count).map(|_| random.u8(..)).collect()
}

#[test]
fn oddities_that_decode_are_taken() {
    let pixels = zeros(29 * (1 + 45 * 6));
    let with = |chunks: &[Vec<u8>]| [&[head(45, 29, 16, 2, 0)], chunks].concat().concat();
    let (data, end) = (chunk(b"IDAT", &pixels), chunk(b"IEND", b""));
    let texts = [chunk(b"tEXt", &noise(200_000)), chunk(b"iCCP", b"x"), chunk(b"zTXt", b"")].concat();
    let pieces: Vec<u8> = pixels.chunks(3).flat_map(|piece| chunk(b"IDAT", piece)).collect();
    for (case, bytes) in [
        ("interlaced", image_of(45, 29, 8, 2, 1, &zeros(45 * 29 * 3 + 80))),
        ("interlaced, of one pixel", image_of(1, 1, 1, 0, 1, &zeros(2))),
        ("of 16 bits", image_of(45, 29, 16, 2, 0, &pixels)),
        ("with more pixels than it needs", image_of(45, 29, 8, 2, 0, &pixels)),
        ("of many chunks", with(&[texts, pieces, chunk(b"IDAT", b""), end.clone()])),
        ("with much EXIF data", with(&[chunk(b"eXIf", &noise(3 << 20)), data.clone(), end.clone()])),
        ("with a faulty animation", with(&[chunk(b"fcTL", &[9; 26]), data, chunk(b"fdAT", b"x"), end])),
        ("the largest photo", image_of(5000, 5000, 8, 6, 0, &zeros(5000 * 20_001))),
    ] {
        assert!(check(&bytes).is_ok(), "{case}: {:?}", check(&bytes));
    }
}

#[test]
fn damage_is_found_wherever_it_is() {
    let (half, end) = (zeros(20 * 21), chunk(b"IEND", b""));
    let filter = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(&[5; 20 * 21]).unwrap();
        encoder.finish().unwrap()
    };
    let mut wrong_sum = chunk(b"IDAT", &half[..8]);
    *wrong_sum.last_mut().unwrap() ^= 1;
    let mut wrong_head = head(20, 20, 8, 0, 0);
    wrong_head[31] ^= 1;
    let with = |head: Vec<u8>, chunks: &[Vec<u8>]| [&[head], chunks].concat().concat();
    let grey = || head(20, 20, 8, 0, 0);
    for (case, bytes) in [
        ("no pixels", with(grey(), std::slice::from_ref(&end))),
        ("too few pixels", image_of(20, 21, 8, 0, 0, &half)),
        ("a depth that there is not", image_of(20, 20, 3, 0, 0, &half)),
        ("an interlacing that there is not", image_of(20, 20, 8, 0, 2, &half)),
        ("a filter that there is not", image_of(20, 20, 8, 0, 0, &filter)),
        ("no compressed data", image_of(20, 20, 8, 0, 0, &noise(500))),
        ("a palette that is missing", image_of(20, 20, 8, 3, 0, &half)),
        ("two headers", with(grey(), &[grey()[8..].to_vec(), chunk(b"IDAT", &half), end.clone()])),
        ("a needed chunk that nobody knows", with(grey(), &[chunk(b"NEED", b""), chunk(b"IDAT", &half), end.clone()])),
        ("a wrong checksum", with(grey(), &[wrong_sum, chunk(b"IDAT", &half[8..]), end.clone()])),
        ("a wrong checksum of its header", with(wrong_head, &[chunk(b"IDAT", &half), end])),
    ] {
        assert!(matches!(check(&bytes), Err(ImageRejection::Damaged(_))), "{case}: {:?}", check(&bytes));
    }
}

#[test]
fn interlaced_pictures_need_all_of_their_rows() {
    for (width, height) in (1..10_u32).flat_map(|width| (1..10_u32).map(move |height| (width, height))) {
        let passes: [(u32, u32, u32, u32); 7] =
            [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
        let needed: u32 = passes
            .iter()
            .map(|(x, y, step_x, step_y)| {
                let (columns, rows) = (width - width.min(*x), height - height.min(*y));
                let columns = columns.div_ceil(*step_x);
                if columns > 0 { rows.div_ceil(*step_y) * (1 + 3 * columns) } else { 0 }
            })
            .sum();
        let of = |bytes: u32| check(&image_of(width, height, 8, 2, 1, &zeros(bytes as usize)));
        assert!(of(needed).is_ok_and(|info| (info.width, info.height) == (width, height)), "{width} x {height}");
        assert!(matches!(of(needed - 1), Err(ImageRejection::Damaged(_))), "{width} x {height}, a byte less");
    }
}

#[test]
fn rows_of_megabytes_are_read() {
    let verify = |data: &[u8]| verify_whole(&in_memory(&image_of(1_000_000, 2, 8, 6, 0, data)), &Oversight::none());
    verify(&zeros(2 * 4_000_001)).unwrap();
    assert!(matches!(verify(&zeros(2 * 4_000_001 - 1)), Err(ImageRejection::Damaged(_))));
}

pub fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let (gigabyte, small) = (zeros(1 << 30), zeros(64 * 65));
    let with = |name: &[u8; 4], prefix: &[u8]| {
        let text = chunk(name, &[prefix, &gigabyte].concat());
        [head(64, 64, 8, 0, 0), text, chunk(b"IDAT", &small), chunk(b"IEND", b"")].concat()
    };
    let mut apng = [head(64, 64, 8, 0, 0), chunk(b"acTL", &[0, 1, 0x86, 0xA0, 0, 0, 0, 0])].concat();
    apng.extend(chunk(b"IDAT", &small));
    apng.extend(chunk(b"fdAT", &[0; 9]).repeat(100_000));
    apng.extend(chunk(b"IEND", b""));
    vec![
        (
            "PNG of 41 bytes, 8,000,000 x 4,294,967,295",
            [head(8_000_000, u32::MAX, 8, 6, 0), chunk(b"IDAT", b"")[..8].to_vec()].concat(),
        ),
        ("PNG of 65 bytes, 16,384 x 16,384", image_of(16_384, 16_384, 8, 6, 0, &zeros(0)[..8])),
        ("PNG 5,000 x 5,000 without data", image_of(5000, 5000, 16, 6, 0, &zeros(0))),
        ("PNG 64 x 64 that unpacks to 1 GiB", image_of(64, 64, 8, 0, 0, &gigabyte)),
        ("PNG with zTXt of 1 GiB", with(b"zTXt", b"a\0\0")),
        ("PNG with iTXt of 1 GiB", with(b"iTXt", b"a\0\x01\0\0\0")),
        ("PNG with iCCP of 1 GiB", with(b"iCCP", b"a\0\0")),
        (
            "PNG with a chunk of 2 GiB that is not there",
            [head(64, 64, 8, 0, 0), b"\x7f\xff\xff\xffeXIf".to_vec()].concat(),
        ),
        ("APNG of 100,000 frames", apng),
    ]
}
