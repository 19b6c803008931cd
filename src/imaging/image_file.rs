//! A file that is read in small steps, forwards mostly.

use super::oversight::Oversight;
use super::rejection::ImageRejection;
use crate::domain::FileContent;
use bytes::Bytes;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

const MAX_PIECE_BYTES: u64 = 64 * 1024;
/// How much is read after a jump; each further piece is twice as long, so that many jumps do not read the file many times.
const MIN_PIECE_BYTES: u64 = 512;
/// After how much work besides reading it is asked whether to go on: some ten thousand times a second.
const WORK_BETWEEN_CHECKPOINTS: u32 = 1 << 16;

/// A file and the piece of it that is looked at. Whoever asks for more than there is gets [`ImageRejection::Truncated`].
pub struct ImageFile {
    source: Source,
    length: u64,
    /// Where in the file the piece ends.
    end: u64,
    piece: Bytes,
    at: usize,
    /// The length of the next piece.
    ahead: u64,
    oversight: Oversight,
    /// The work since the last checkpoint.
    work: u32,
}

/// Where the pieces come from.
enum Source {
    /// They are slices of this.
    Memory(Bytes),
    /// They are read, each into the memory of the one before.
    File(File),
}

impl Source {
    /// Up to `most` bytes from `begin`, where a file is already; none at the end.
    fn piece(&mut self, begin: u64, most: u64, before: Bytes) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(whole) => {
                let length = whole.len() as u64;
                let end = begin.saturating_add(most).min(length);
                Ok(whole.slice(begin.min(end) as usize..end as usize))
            }
            Self::File(file) => {
                let mut piece = Vec::from(before);
                piece.clear();
                file.by_ref().take(most).read_to_end(&mut piece)?;
                Ok(piece.into())
            }
        }
    }
}

impl ImageFile {
    pub fn open(content: &FileContent, oversight: &Oversight) -> Result<Self, ImageRejection> {
        let (source, length) = match content {
            FileContent::Memory(bytes) => (Source::Memory(bytes.clone()), bytes.len() as u64),
            FileContent::File(path) => {
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                (Source::File(file), length)
            }
        };
        let (oversight, ahead) = (oversight.clone(), MIN_PIECE_BYTES);
        Ok(Self { source, length, end: 0, piece: Bytes::new(), at: 0, ahead, oversight, work: 0 })
    }

    /// How many bytes the file has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How much memory its reader may take, in bytes.
    pub fn memory_limit(&self) -> usize {
        self.oversight.memory_bytes()
    }

    /// Where in the file it is.
    pub fn position(&self) -> u64 {
        self.end - (self.piece.len() - self.at) as u64
    }

    /// What comes next, up to `most` bytes, without passing over it. Only at the beginning of the file.
    pub fn peek(&mut self, most: usize) -> Result<&[u8], ImageRejection> {
        if self.at == self.piece.len() && self.length > 0 {
            self.refill()?;
        }
        let rest = &self.piece[self.at..];
        Ok(&rest[..rest.len().min(most)])
    }

    /// Some of the bytes that come next, at least one.
    pub fn available(&mut self) -> Result<&[u8], ImageRejection> {
        if self.at == self.piece.len() {
            self.refill()?;
        }
        Ok(&self.piece[self.at..])
    }

    /// Passes over some of what [`ImageFile::available`] showed.
    pub fn consume(&mut self, count: usize) {
        self.at += count;
    }

    /// The next bytes, as many as [`ImageFile::available`] showed at most.
    pub fn take(&mut self, count: usize) -> &[u8] {
        self.at += count;
        &self.piece[self.at - count..self.at]
    }

    pub fn read_byte(&mut self) -> Result<u8, ImageRejection> {
        if self.at == self.piece.len() {
            self.refill()?;
        }
        let byte = self.piece[self.at];
        self.at += 1;
        Ok(byte)
    }

    pub fn read_array<const N: usize>(&mut self) -> Result<[u8; N], ImageRejection> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.read_byte()?;
        }
        Ok(bytes)
    }

    /// Passes over bytes, which must be there.
    pub fn skip(&mut self, count: u64) -> Result<(), ImageRejection> {
        let left = (self.piece.len() - self.at) as u64;
        if count <= left {
            self.at += count as usize;
            return Ok(());
        }
        self.seek_to(self.end.checked_add(count - left).ok_or(ImageRejection::Truncated)?)
    }

    /// Goes on at a place in the file, which must be there.
    pub fn seek_to(&mut self, position: u64) -> Result<(), ImageRejection> {
        if position > self.length {
            return Err(ImageRejection::Truncated);
        }
        let begin = self.end - self.piece.len() as u64;
        if (begin..=self.end).contains(&position) {
            self.at = (position - begin) as usize;
            return Ok(());
        }
        if let Source::File(file) = &mut self.source {
            file.seek(SeekFrom::Start(position))?;
        }
        self.end = position;
        self.piece.truncate(0);
        (self.at, self.ahead) = (0, MIN_PIECE_BYTES);
        // A jump costs about as much as a few hundred steps.
        self.worked(MIN_PIECE_BYTES as u32)
    }

    /// Counts work that reads nothing, in steps of a few nanoseconds, and asks now and then whether to go on.
    pub fn worked(&mut self, steps: u32) -> Result<(), ImageRejection> {
        self.work = self.work.saturating_add(steps);
        if self.work < WORK_BETWEEN_CHECKPOINTS {
            return Ok(());
        }
        self.work = 0;
        self.oversight.go_on()
    }

    fn refill(&mut self) -> Result<(), ImageRejection> {
        self.worked(self.ahead as u32)?;
        self.at = 0;
        let before = std::mem::take(&mut self.piece);
        self.piece = self.source.piece(self.end, self.ahead, before)?;
        self.ahead = (2 * self.ahead).min(MAX_PIECE_BYTES);
        self.end += self.piece.len() as u64;
        if self.piece.is_empty() { Err(ImageRejection::Truncated) } else { Ok(()) }
    }
}
