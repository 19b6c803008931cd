//! TIFF: what a directory may claim.

use super::png::zeros;

/// A TIFF of one strip that says these things of itself.
fn image_of(width: u32, height: u32, packing: u32, strip: (u32, u32), data: &[u8]) -> Vec<u8> {
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

pub fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let gigabyte = zeros(1 << 30);
    vec![
        ("TIFF 4,000,000,000 x 4,000,000,000", image_of(4_000_000_000, 4_000_000_000, 8, (110, 20), &[0; 20])),
        ("TIFF with a strip of 4 GB that is not there", image_of(5000, 5000, 1, (110, u32::MAX), b"")),
        ("TIFF whose strip unpacks to 1 GiB", image_of(64, 64, 8, (110, gigabyte.len() as u32), &gigabyte)),
        ("TIFF 5,000 x 5,000 of 65,535 tags", [b"II*\0\x08\0\0\0\xff\xff".to_vec(), vec![1; 12 * 65_535]].concat()),
    ]
}
