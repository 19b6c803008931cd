//! A file that is read in small steps, forwards mostly.

use super::Unfit;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const BUFFER: usize = 64 * 1024;

/// A file and the piece of it that is in memory. Whoever asks for more than there is gets [`Unfit::Cut`].
pub struct Source {
    file: File,
    length: u64,
    /// Where in the file the piece ends.
    end: u64,
    piece: Vec<u8>,
    at: usize,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, Unfit> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length, end: 0, piece: Vec::with_capacity(BUFFER), at: 0 })
    }

    /// How many bytes the file has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where in the file it is.
    pub fn place(&self) -> u64 {
        self.end - (self.piece.len() - self.at) as u64
    }

    /// What comes next, up to `most` bytes, without passing over it. Only at the beginning of the file.
    pub fn peek(&mut self, most: usize) -> Result<&[u8], Unfit> {
        if self.at == self.piece.len() && self.length > 0 {
            self.refill()?;
        }
        let rest = &self.piece[self.at..];
        Ok(&rest[..rest.len().min(most)])
    }

    /// Some of the bytes that come next, at least one.
    pub fn some(&mut self) -> Result<&[u8], Unfit> {
        if self.at == self.piece.len() {
            self.refill()?;
        }
        Ok(&self.piece[self.at..])
    }

    /// Passes over some of what [`Source::some`] showed.
    pub fn pass(&mut self, count: usize) {
        self.at += count;
    }

    pub fn byte(&mut self) -> Result<u8, Unfit> {
        if self.at == self.piece.len() {
            self.refill()?;
        }
        let byte = self.piece[self.at];
        self.at += 1;
        Ok(byte)
    }

    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unfit> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    /// Passes over bytes, which must be there.
    pub fn skip(&mut self, count: u64) -> Result<(), Unfit> {
        let left = (self.piece.len() - self.at) as u64;
        if count <= left {
            self.at += count as usize;
            return Ok(());
        }
        self.go_to(self.end.checked_add(count - left).ok_or(Unfit::Cut)?)
    }

    /// Goes on at a place in the file, which must be there.
    pub fn go_to(&mut self, place: u64) -> Result<(), Unfit> {
        if place > self.length {
            return Err(Unfit::Cut);
        }
        let begin = self.end - self.piece.len() as u64;
        if (begin..=self.end).contains(&place) {
            self.at = (place - begin) as usize;
            return Ok(());
        }
        self.end = self.file.seek(SeekFrom::Start(place))?;
        self.piece.clear();
        self.at = 0;
        Ok(())
    }

    fn refill(&mut self) -> Result<(), Unfit> {
        self.piece.clear();
        self.at = 0;
        let read = self.file.by_ref().take(BUFFER as u64).read_to_end(&mut self.piece)?;
        self.end += read as u64;
        if read == 0 { Err(Unfit::Cut) } else { Ok(()) }
    }
}
