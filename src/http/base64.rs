//! Streaming base64: decodes text that arrives in pieces.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, STANDARD_PAD_INDIFFERENT};

/// Characters that are decoded at once; a multiple of four.
const BLOCK_CHARS: usize = 4096;

/// Decodes the standard alphabet. Unless it is strict, padding may be missing and white space is skipped, as MIME writes
/// it. Holds at most [`BLOCK_CHARS`] characters.
///
/// The `base64` crate's own stream decoder reads from a blocking reader, while these bytes are pushed as they arrive.
#[derive(Default)]
pub struct Base64Decoder {
    block: Vec<u8>,
    padding: usize,
    strict: bool,
}

/// The characters are not base64. Says nothing about which: they are somebody's picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Base64Error;

impl Base64Decoder {
    /// A decoder that requires padding and rejects white space.
    pub fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// Takes some characters and appends the bytes they complete.
    pub fn push(&mut self, text: &[u8], bytes: &mut Vec<u8>) -> Result<(), Base64Error> {
        for &b in text {
            match b {
                b' ' | b'\t' | b'\r' | b'\n' if !self.strict => continue,
                b'=' => self.padding += 1,
                _ if self.padding > 0 => return Err(Base64Error),
                _ => {}
            }
            if self.padding > 2 {
                return Err(Base64Error);
            }
            self.block.push(b);
            if self.block.len() == BLOCK_CHARS && self.padding == 0 {
                STANDARD_NO_PAD.decode_vec(&self.block, bytes).map_err(|_| Base64Error)?;
                self.block.clear();
            }
        }
        Ok(())
    }

    /// Appends the last bytes.
    pub fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), Base64Error> {
        let decoded = match self.strict {
            true => STANDARD.decode_vec(&self.block, bytes),
            false => STANDARD_PAD_INDIFFERENT.decode_vec(&self.block, bytes),
        };
        decoded.map_err(|_| Base64Error)?;
        self.block.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn decode(text: &[u8], step: usize) -> Result<Vec<u8>, Base64Error> {
        let (mut decoder, mut bytes) = (Base64Decoder::default(), Vec::new());
        for piece in text.chunks(step) {
            decoder.push(piece, &mut bytes)?;
        }
        decoder.finish(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn pieces_of_any_size_give_the_same_bytes() {
        for length in [0, 1, 2, 3, 4, 3071, 3072, 3073, 10_000] {
            let bytes: Vec<u8> = (0..length).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
            let text = STANDARD.encode(&bytes);
            for step in [1, 3, 1000, 4096, 1 << 20] {
                assert_eq!(decode(text.as_bytes(), step), Ok(bytes.clone()), "{length} bytes in steps of {step}");
            }
            assert_eq!(decode(text.trim_end_matches('=').as_bytes(), 5), Ok(bytes), "{length} bytes without padding");
        }
    }

    #[test]
    fn strictly_there_is_padding_and_no_white_space() {
        let strictly = |text: &[u8]| {
            let (mut decoder, mut bytes) = (Base64Decoder::strict(), Vec::new());
            decoder.push(text, &mut bytes).and_then(|()| decoder.finish(&mut bytes)).map(|()| bytes)
        };
        assert_eq!(strictly(b"aGVsbG8="), Ok(b"hello".to_vec()));
        for bad in ["aGVsbG8", "aGVs bG8=", "aGVsbG8=\n", "aGVs\r\nbG8="] {
            assert_eq!(strictly(bad.as_bytes()), Err(Base64Error), "{bad:?}");
        }
    }

    #[test]
    fn line_breaks_are_skipped_and_everything_else_is_rejected() {
        assert_eq!(decode(b"aGVs\r\nbG8=\n", 2), Ok(b"hello".to_vec()));
        for bad in
            ["aGVsbG8=x", "aG=sbG8", "aGVsb", "a-_b", "====", "aGVsbG8===", "data:image/png;base64,aGVs", "\u{e9}"]
        {
            assert_eq!(decode(bad.as_bytes(), 3), Err(Base64Error), "{bad}");
        }
    }
}
