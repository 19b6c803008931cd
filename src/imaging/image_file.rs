//! A file that is read in small steps, forwards mostly.

use super::rejection::ImageRejection;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const READ_BUFFER_BYTES: usize = 64 * 1024;

/// A file and the piece of it that is in memory. Whoever asks for more than there is gets [`ImageRejection::Truncated`].
pub struct ImageFile {
    file: File,
    length: u64,
    /// Where in the file the piece ends.
    end: u64,
    piece: Vec<u8>,
    at: usize,
}

impl ImageFile {
    pub fn open(path: &Path) -> Result<Self, ImageRejection> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length, end: 0, piece: Vec::with_capacity(READ_BUFFER_BYTES), at: 0 })
    }

    /// How many bytes the file has.
    pub fn length(&self) -> u64 {
        self.length
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
        self.end = self.file.seek(SeekFrom::Start(position))?;
        self.piece.clear();
        self.at = 0;
        Ok(())
    }

    fn refill(&mut self) -> Result<(), ImageRejection> {
        self.piece.clear();
        self.at = 0;
        let read = self.file.by_ref().take(READ_BUFFER_BYTES as u64).read_to_end(&mut self.piece)?;
        self.end += read as u64;
        if read == 0 { Err(ImageRejection::Truncated) } else { Ok(()) }
    }
}
