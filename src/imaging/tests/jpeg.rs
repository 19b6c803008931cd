//! JPEG: what stands between markers, and what a header may claim.

use super::{check, photos};

fn head(frame: u8, width: u16, height: u16) -> Vec<u8> {
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

#[test]
fn oddities_that_decode_are_taken() {
    let jpeg = photos().find(|(name, _)| name == "baseline-420-restarts.jpg").unwrap().1;
    let segment = |marker: u8| [&[0xFF, marker, 0xFF, 0xFF][..], &vec![marker; 0xFFFD]].concat();
    // There is a marker wherever FF is followed by this.
    let mut with_fill = jpeg[..2].to_vec();
    for pair in jpeg[2..].windows(2) {
        let marks = pair[0] == 0xFF && (0xC0..0xFF).contains(&pair[1]);
        with_fill.extend_from_slice(if marks { &[0xFF, 0xFF, 0xFF, 0xFF] } else { &pair[..1] });
    }
    with_fill.push(0xD9);
    assert!(with_fill.len() > jpeg.len() + 30);
    for (case, bytes) in [
        ("with fill bytes", with_fill),
        ("with a megabyte of metadata", [&jpeg[..2], &segment(0xE1).repeat(16), &jpeg[2..]].concat()),
        ("with garbage before a marker", [&jpeg[..20], b"\0\0\0", &jpeg[20..]].concat()),
    ] {
        assert!(check(&bytes).is_ok(), "{case}: {:?}", check(&bytes));
    }
}

pub fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let progressive = head(0xC2, 5000, 5000);
    let empty_scans = scan(&[1, 1, 0x00, 1, 63, 0x10], &[0; 48]).repeat(20_000);
    let dc = scan(&[3, 1, 0, 2, 0, 3, 0, 0, 0, 0], &vec![0; 3 * 625 * 625 / 8 + 1]);
    vec![
        ("JPEG 65,500 x 65,500", head(0xC0, 65_500, 65_500)),
        ("JPEG 65,500 x 65,500, progressive", head(0xC2, 65_500, 65_500)),
        ("JPEG 5,000 x 5,000, progressive, without data", progressive.clone()),
        ("JPEG 5,000 x 5,000 of 20,000 scans", [progressive, dc, empty_scans, b"\xff\xd9".to_vec()].concat()),
        ("JPEG of 2,500,000 segments", [&b"\xff\xd8"[..], &b"\xff\xe0\0\x02".repeat(2_500_000)].concat()),
    ]
}
