//! LZW, as GIF and TIFF have it: how many bytes the codes stand for, not which. Of a string its length is enough, so a code
//! costs the same whatever it stands for.
//!
//! Our own code, because the decoder in Rust (`weezl`) refuses two clear codes in a row, which all viewers take, and writes
//! out what is thrown away here: 100 MB for a code of a few bytes, if somebody means harm.

use super::rejection::ImageRejection;

const BAD_CODES: ImageRejection = ImageRejection::Damaged("its compressed data is no such");
const MAX_CODES: usize = 4096;
const MAX_CODE_BITS: u32 = 12;

/// In which order the bits of a code are, and when codes get longer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LzwVariety {
    /// The lowest bit first.
    Gif,
    /// The highest bit first, and longer one code early.
    Tiff,
}

/// The lengths of all strings, and how far the codes have come.
pub struct Lzw {
    variety: LzwVariety,
    /// How many bits a code has after a clear code.
    first_bits: u32,
    /// For each code the length of its string.
    lengths: Box<[u16; MAX_CODES]>,
    /// The code that the next string gets.
    next: usize,
    bits: u32,
    /// The length of the string before.
    before: Option<u16>,
    held: u32,
    held_bits: u32,
    ended: bool,
}

impl Lzw {
    /// For literals of so many bits, at most 11.
    pub fn new(variety: LzwVariety, literal_bits: u32) -> Self {
        let mut lengths = Box::new([0; MAX_CODES]);
        lengths[..1 << literal_bits].fill(1);
        let mut lzw = Self {
            variety,
            first_bits: literal_bits + 1,
            lengths,
            next: 0,
            bits: 0,
            before: None,
            held: 0,
            held_bits: 0,
            ended: false,
        };
        lzw.clear();
        lzw
    }

    /// Begins anew, with other data.
    pub fn restart(&mut self, variety: LzwVariety) {
        (self.variety, self.held, self.held_bits, self.ended) = (variety, 0, 0, false);
        self.clear();
    }

    /// Whether the end code has come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    fn clear(&mut self) {
        // Behind the literals are the clear code and the end code.
        (self.next, self.bits, self.before) = ((1 << (self.first_bits - 1)) + 2, self.first_bits, None);
    }

    /// Tells how many bytes come of this data, and how much of it that took: once there are `wanted`, it stops.
    pub fn count(&mut self, data: &[u8], wanted: u64) -> Result<(usize, u64), ImageRejection> {
        let (mut used, mut done) = (0, 0);
        while done < wanted && !self.ended {
            let Some(code) = self.take(data, &mut used) else { break };
            done += self.follow(code as usize)?;
        }
        Ok((used, done))
    }

    fn take(&mut self, data: &[u8], used: &mut usize) -> Option<u32> {
        while self.held_bits < self.bits {
            let byte = u32::from(*data.get(*used)?);
            *used += 1;
            match self.variety {
                LzwVariety::Gif => self.held |= byte << self.held_bits,
                LzwVariety::Tiff => self.held = self.held << 8 | byte,
            }
            self.held_bits += 8;
        }
        self.held_bits -= self.bits;
        let mask = (1 << self.bits) - 1;
        match self.variety {
            LzwVariety::Gif => {
                let code = self.held & mask;
                self.held >>= self.bits;
                Some(code)
            }
            LzwVariety::Tiff => Some(self.held >> self.held_bits & mask),
        }
    }

    /// Takes a code, and tells the length of its string.
    fn follow(&mut self, code: usize) -> Result<u64, ImageRejection> {
        let clear = 1 << (self.first_bits - 1);
        if code == clear {
            self.clear();
            return Ok(0);
        }
        if code == clear + 1 {
            self.ended = true;
            return Ok(0);
        }
        let length = match self.before {
            None if code < clear => 1,
            Some(_) if code < self.next => self.lengths[code],
            Some(before) if code == self.next && code < MAX_CODES => before.saturating_add(1),
            _ => return Err(BAD_CODES),
        };
        // A full table stays as it is until it is cleared.
        if let (Some(before), true) = (self.before, self.next < MAX_CODES) {
            self.lengths[self.next] = before.saturating_add(1);
            self.next += 1;
            let early = usize::from(self.variety == LzwVariety::Tiff);
            if self.next + early == 1 << self.bits && self.bits < MAX_CODE_BITS {
                self.bits += 1;
            }
        }
        self.before = Some(length);
        Ok(length.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes, packed as GIF has them.
    fn gif(codes: &[(u32, u32)]) -> Vec<u8> {
        let (mut bytes, mut held, mut count) = (Vec::new(), 0_u32, 0);
        for (code, bits) in codes {
            held |= code << count;
            count += bits;
            while count >= 8 {
                bytes.push(held as u8);
                held >>= 8;
                count -= 8;
            }
        }
        bytes.push(held as u8);
        bytes
    }

    fn count(codes: &[(u32, u32)]) -> Result<u64, ImageRejection> {
        Lzw::new(LzwVariety::Gif, 2).count(&gif(codes), u64::MAX).map(|(_, done)| done)
    }

    #[test]
    fn codes_count_as_many_bytes_as_their_strings_have() {
        // Clear, 1, the string that is just being made (1 1), 0, end.
        assert!(matches!(count(&[(4, 3), (1, 3), (6, 3), (0, 3), (5, 4)]), Ok(4)));
        assert!(matches!(count(&[(4, 3), (4, 3), (4, 3), (1, 3), (6, 3), (5, 3)]), Ok(3)), "cleared thrice");
        assert!(matches!(count(&[(1, 3), (2, 3), (5, 4)]), Ok(2)), "not cleared at all");
        for codes in [&[(4, 3), (6, 3)][..], &[(4, 3), (1, 3), (7, 3)]] {
            assert!(count(codes).is_err(), "a string that there is not: {codes:?}");
        }
    }

    #[test]
    fn what_the_library_packs_counts_as_long_as_it_is() {
        let mut random = fastrand::Rng::with_seed(4);
        for (length, most) in [(0, 2), (1, 256), (5000, 3), (100_000, 256), (300_000, 2)] {
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..=(most - 1) as u8)).collect();
            let gif = weezl::encode::Encoder::new(weezl::BitOrder::Lsb, 8).encode(&bytes).unwrap();
            let tiff = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(&bytes).unwrap();
            for (variety, packed) in [(LzwVariety::Gif, gif), (LzwVariety::Tiff, tiff)] {
                let mut lzw = Lzw::new(variety, 8);
                let (used, done) = lzw.count(&packed, u64::MAX).unwrap();
                assert_eq!((used, done, lzw.has_ended()), (packed.len(), length as u64, true));
                // In small pieces, and again from the beginning.
                lzw.restart(variety);
                let done: u64 = packed.chunks(3).map(|piece| lzw.count(piece, u64::MAX).unwrap().1).sum();
                assert_eq!(done, length as u64);
            }
        }
    }
}
