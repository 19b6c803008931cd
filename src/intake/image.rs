//! What can be known about an image before Telegram sees it: that it is one, and its dimensions.

use super::refusal::{Code, Refusal};
use crate::domain::ImageFormat;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Width and height together, in pixels (Bot API, sendPhoto).
const DIMENSIONS_LIMIT: u64 = 10_000;
/// The longer side over the shorter (Bot API, sendPhoto).
const RATIO_LIMIT: u64 = 20;

/// The format, from the first bytes ([`ImageFormat::SNIFF_BYTES`] if there are as many).
pub fn format(head: &[u8]) -> Result<ImageFormat, Refusal> {
    ImageFormat::sniff(head).ok_or_else(|| {
        let advice = match head {
            [] => "The image is empty.",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
                "This is WebP, which Telegram does not take as a photo. Convert it to JPEG or PNG."
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
                "This is HEIC, AVIF or a video, which Telegram does not take as a photo. Convert it to JPEG or PNG."
            }
            [b'<', ..] => "This is SVG, XML or HTML, which is not a picture yet. Render it to PNG.",
            [b'%', b'P', b'D', b'F', ..] => "This is a PDF. Render the page to PNG.",
            _ => "These bytes are no image that Telegram takes as a photo: JPEG, PNG, GIF, BMP or TIFF.",
        };
        Refusal::field(Code::NotAnImage, "photo", advice)
    })
}

/// Checks the geometry of a whole image.
pub fn check_geometry(file: File, format: ImageFormat) -> Result<(), Refusal> {
    let (width, height) = dimensions(file, format).map_err(|_| {
        Refusal::field(
            Code::NotAnImage,
            "photo",
            "The image begins well but its header cannot be read: it is cut off or damaged.",
        )
    })?;
    check_dimensions(width, height)
}

fn check_dimensions(width: u64, height: u64) -> Result<(), Refusal> {
    let (long, short) = (width.max(height), width.min(height));
    if short == 0 {
        return Err(Refusal::field(Code::NotAnImage, "photo", "The image has no pixels."));
    }
    if width + height > DIMENSIONS_LIMIT {
        return Err(Refusal::field(
            Code::ImageDimensions,
            "photo",
            format!(
                "The image is {width} x {height}; width and height together may be {DIMENSIONS_LIMIT}. Scale it down."
            ),
        ));
    }
    if long > RATIO_LIMIT * short {
        return Err(Refusal::field(
            Code::ImageRatio,
            "photo",
            format!("The image is {width} x {height}; one side may be {RATIO_LIMIT} times the other. Crop or pad it."),
        ));
    }
    Ok(())
}

fn dimensions(file: File, format: ImageFormat) -> Result<(u64, u64), Box<dyn std::error::Error>> {
    let mut reader = Near { inner: BufReader::new(file), position: 0 };
    let kind = match format {
        ImageFormat::Bmp => return Ok(bmp(&mut reader)?),
        ImageFormat::Png => return Ok(png(&mut reader)?),
        ImageFormat::Jpeg => imagesize::ImageType::Jpeg,
        ImageFormat::Gif => imagesize::ImageType::Gif,
        ImageFormat::Tiff => imagesize::ImageType::Tiff,
    };
    let size = kind.reader_size(&mut reader)?;
    Ok((u64::try_from(size.width)?, u64::try_from(size.height)?))
}

/// PNG by hand: its first chunk is the header, and anything else is none.
fn png(reader: &mut impl Read) -> io::Result<(u64, u64)> {
    let mut head = [0; 24];
    reader.read_exact(&mut head)?;
    if head[12..16] != *b"IHDR" {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    Ok((word(16).into(), word(20).into()))
}

/// BMP by hand: its height is negative when its rows run downwards, and its oldest header counts in 16 bits. Its two
/// letters begin many a text, so its header must be one of those that there are.
fn bmp(reader: &mut impl Read) -> io::Result<(u64, u64)> {
    const HEADERS: [i32; 8] = [12, 16, 40, 52, 56, 64, 108, 124];
    let mut head = [0; 26];
    reader.read_exact(&mut head)?;
    let word = |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    if !HEADERS.contains(&word(14)) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(match word(14) {
        12 => (half(18).into(), half(20).into()),
        _ => (word(18).unsigned_abs().into(), word(22).unsigned_abs().into()),
    })
}

/// A reader whose short steps forward stay within its buffer: a hostile JPEG has millions of them.
struct Near {
    inner: BufReader<File>,
    position: u64,
}

impl Read for Near {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}

impl BufRead for Near {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        self.position += u64::try_from(amount).unwrap_or(u64::MAX);
    }
}

impl Seek for Near {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(step) => self.position.checked_add_signed(step).ok_or(io::ErrorKind::InvalidInput)?,
            SeekFrom::End(_) => {
                self.position = self.inner.seek(to)?;
                return Ok(self.position);
            }
        };
        let step =
            i64::try_from(i128::from(target) - i128::from(self.position)).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.inner.seek_relative(step)?;
        self.position = target;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn measure(bytes: &[u8]) -> Result<(u64, u64), String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        dimensions(file, ImageFormat::sniff(bytes).unwrap()).map_err(|e| e.to_string())
    }

    fn bmp_of(width: i32, height: i32) -> Vec<u8> {
        let mut bytes = vec![0; 54];
        bytes[..2].copy_from_slice(b"BM");
        bytes[14..18].copy_from_slice(&40_i32.to_le_bytes());
        bytes[18..22].copy_from_slice(&width.to_le_bytes());
        bytes[22..26].copy_from_slice(&height.to_le_bytes());
        bytes
    }

    #[test]
    fn dimensions_are_read_from_every_format() {
        let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0, 0, 0, 5, 0, 0, 0, 7, 8, 6]].concat();
        assert_eq!(measure(&png), Ok((5, 7)));
        assert_eq!(measure(b"GIF89a\x05\0\x07\0\0\0\0"), Ok((5, 7)));
        assert_eq!(measure(&bmp_of(5, 7)), Ok((5, 7)));
        assert_eq!(measure(&bmp_of(5, -7)), Ok((5, 7)), "rows from top to bottom");
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08\0\x07\0\x05\x01\x01\x11\0";
        assert_eq!(measure(jpeg), Ok((5, 7)));
        let tiff = b"II*\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\x05\0\0\0\x01\x01\x03\0\x01\0\0\0\x07\0\0\0";
        assert_eq!(measure(tiff), Ok((5, 7)));
    }

    #[test]
    fn damaged_headers_are_errors_and_never_panics() {
        for bytes in [
            &b"\xff\xd8\xff"[..],
            b"\xff\xd8\xff\xff\0\0\0\0\0\0",
            b"\x89PNG\r\n\x1a\n\0\0",
            b"GIF89a",
            b"BM0123456789",
            b"BM is a company, and this is a text about it",
            b"\x89PNG\r\n\x1a\n\0\0\0\rtEXt\0\0\0\x05\0\0\0\x07\x08\x06",
        ] {
            assert!(measure(bytes).is_err(), "{bytes:?}");
        }
        for head in [b"II*\0".as_slice(), b"MM\0*", b"\xff\xd8\xff"] {
            for seed in 0..2000 {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut bytes = head.to_vec();
                bytes.extend((0..64).map(|_| random.u8(..)));
                let _ = measure(&bytes);
            }
        }
    }

    #[test]
    fn a_jpeg_of_a_million_empty_segments_is_read_in_no_time() {
        let bytes = [b"\xff\xd8".as_slice(), &b"\xff\xe0\0\x02".repeat(2_500_000)].concat();
        let begin = std::time::Instant::now();
        assert!(measure(&bytes).is_err());
        assert!(begin.elapsed() < std::time::Duration::from_secs(3));
    }

    #[test]
    fn geometry_is_what_telegram_takes() {
        for (width, height, code) in [
            (5000, 5000, None),
            (9999, 1, Some(Code::ImageRatio)),
            (2000, 100, None),
            (2001, 100, Some(Code::ImageRatio)),
            (5000, 5001, Some(Code::ImageDimensions)),
            (u64::from(u32::MAX), 1, Some(Code::ImageDimensions)),
            (0, 10, Some(Code::NotAnImage)),
        ] {
            assert_eq!(check_dimensions(width, height).err().map(|r| r.code), code, "{width} x {height}");
        }
    }

    #[test]
    fn what_is_no_photo_is_told_what_it_is() {
        for (head, word) in [
            (&b"RIFF\x01\x02\x03\x04WEBP"[..], "WebP"),
            (b"\0\0\0\x20ftypheic", "HEIC"),
            (b"<svg xmlns=\"", "SVG"),
            (b"%PDF-1.7\n\0\0\0", "PDF"),
            (b"hello world!", "JPEG, PNG"),
            (b"", "empty"),
        ] {
            let refusal = format(head).unwrap_err();
            assert!(refusal.code == Code::NotAnImage && refusal.detail.contains(word), "{}", refusal.detail);
        }
    }
}
