//! Pictures by number: valid BMP files, every number another content, made as they are needed.

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use std::io;

const HEADER: usize = 54;
const PIECE: usize = 64 * 1024;

/// An uncompressed BMP of 24 bits.
#[derive(Clone, Copy)]
pub struct Picture {
    number: u64,
    width: u32,
    height: u32,
    /// Bytes behind the pixels, which readers ignore.
    extra: usize,
}

impl Picture {
    /// About 12 kB: under the size from which Telegram slows down equal uploads.
    pub fn small(number: u64) -> Self {
        Self { number, width: 64, height: 64, extra: 0 }
    }

    /// About 520 kB.
    pub fn medium(number: u64) -> Self {
        Self { number, width: 416, height: 416, extra: number as usize % 4096 }
    }

    /// Just under the 10 MiB that a photo may have. Telegram slows down big uploads of equal size, so the sizes differ.
    pub fn big(number: u64) -> Self {
        Self { number, width: 1868, height: 1868, extra: number as usize % 4096 }
    }

    /// How many bytes it has.
    pub fn size(self) -> usize {
        HEADER + self.width as usize * 3 * self.height as usize + self.extra
    }

    /// Its bytes, whole.
    pub fn bytes(self) -> Vec<u8> {
        self.pieces().flatten().collect()
    }

    /// Its bytes in pieces, so that hundreds of big ones can be on their way at once.
    pub fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::iter(self.pieces().map(Ok))
    }

    fn pieces(self) -> impl Iterator<Item = Bytes> + Send + 'static {
        let mut random = fastrand::Rng::with_seed(self.number);
        // The noise is repeated, with the place written over it, so that no piece is like another one.
        let mut noise = vec![0; PIECE];
        random.fill(&mut noise);
        let mut left = self.size() - HEADER;
        let body = std::iter::from_fn(move || {
            let length = left.min(PIECE);
            noise[..8].copy_from_slice(&(left as u64).to_le_bytes());
            left -= length;
            (length > 0).then(|| Bytes::copy_from_slice(&noise[..length]))
        });
        std::iter::once(self.header()).chain(body)
    }

    fn header(self) -> Bytes {
        let mut header = vec![0; HEADER];
        let mut word = |at: usize, value: u32| header[at..at + 4].copy_from_slice(&value.to_le_bytes());
        word(2, self.size() as u32);
        word(10, HEADER as u32);
        word(14, 40);
        word(18, self.width);
        word(22, self.height);
        word(26, 1 | 24 << 16);
        header[..2].copy_from_slice(b"BM");
        header.into()
    }
}

#[test]
fn pictures_are_different_have_the_promised_size_and_stay_within_ten_mebibytes() {
    for picture in [Picture::small(1), Picture::big(1)] {
        assert_eq!(picture.bytes().len(), picture.size());
        assert_ne!(picture.bytes(), Picture { number: 2, ..picture }.bytes());
    }
    assert!((10_400_000..=10_485_760).contains(&Picture::big(1).size()));
    assert!(Picture::big(4095).size() <= 10_485_760);
}
