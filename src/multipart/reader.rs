//! Finds the parts in a body that comes in pieces. What has come is handed on at once, but for what may be the beginning
//! of a boundary; only the headers of one part are held, and they are bounded.

use super::boundary::Boundary;
use super::error::MultipartError;
use super::head::PartHead;
use super::reading::Reading;
use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;
use std::collections::VecDeque;

/// How long the headers of all parts may be together, in bytes (Bot API server). It bounds the number of the parts too.
const HEADERS_LIMIT_BYTES: usize = 256 * 1024;

/// What was found next in a form.
#[derive(Debug, PartialEq, Eq)]
pub enum PartEvent {
    /// A part begins.
    Begin(PartHead),
    /// These bytes of its value; never none.
    Bytes(Bytes),
    /// It has ended, and was whole.
    End,
}

/// Finds the parts of one form.
pub struct FormReader {
    reading: Reading,
    /// A line break, two dashes, the boundary.
    delimiter: memmem::Finder<'static>,
    /// What has come and is not understood yet.
    buffer: BytesMut,
    state: State,
    /// How many bytes of headers there have been.
    header_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// The buffer begins with this much of a boundary; what follows says which it is.
    Boundary { length: usize, in_part: bool },
    /// In the headers of a part, of which so many bytes have been searched for their end.
    Headers { searched: usize },
    /// Before the first byte of a value: in a lenient reading its boundary may follow at once, its line break being that
    /// of the empty line.
    ValueStart,
    /// In the value of a part.
    Value,
    /// Behind the last boundary.
    Epilogue,
}

impl FormReader {
    /// A reader of a form with this boundary.
    pub fn new(boundary: &Boundary, reading: Reading) -> Self {
        Self {
            reading,
            delimiter: memmem::Finder::new(&boundary.delimiter()).into_owned(),
            buffer: BytesMut::new(),
            state: State::Preamble,
            header_bytes: 0,
        }
    }

    /// Takes the next piece of the body; adds what is found in it.
    ///
    /// # Errors
    /// If it is no form. What was found before the fault has been added.
    pub fn push(&mut self, piece: &[u8], found: &mut VecDeque<PartEvent>) -> Result<(), MultipartError> {
        self.buffer.extend_from_slice(piece);
        while self.step(found)? {}
        Ok(())
    }

    /// The body has ended.
    ///
    /// # Errors
    /// If the form has not.
    pub fn finish(self) -> Result<(), MultipartError> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Preamble => Err(MultipartError::BoundaryNotFound),
            State::Headers { .. } if self.lenient() && memmem::find(&self.buffer, b"\n\n").is_some() => {
                Err(MultipartError::BareLineFeeds)
            }
            _ => Err(MultipartError::Unfinished),
        }
    }

    fn lenient(&self) -> bool {
        self.reading == Reading::Lenient
    }

    /// Goes on by one state; returns whether there may be more to do before more bytes have come.
    fn step(&mut self, found: &mut VecDeque<PartEvent>) -> Result<bool, MultipartError> {
        match self.state {
            State::Preamble => Ok(self.skip_preamble()),
            State::Boundary { length, in_part } => self.read_boundary(length, in_part, found),
            State::Headers { searched } => self.read_headers(searched, found),
            State::ValueStart => Ok(self.begin_value()),
            State::Value => Ok(self.read_value(found)),
            State::Epilogue => {
                self.buffer.clear();
                Ok(false)
            }
        }
    }

    /// The first boundary needs no line break before it.
    fn skip_preamble(&mut self) -> bool {
        let boundary = &self.delimiter.needle()[2..];
        match memmem::find(&self.buffer, boundary) {
            Some(at) => {
                self.state = State::Boundary { length: boundary.len(), in_part: false };
                self.buffer.advance(at);
                true
            }
            None => {
                self.buffer.advance((self.buffer.len() + 1).saturating_sub(boundary.len()));
                false
            }
        }
    }

    /// Two dashes make it the last one. Telegram's server takes whatever else follows for the end of its line, and looks
    /// for the two dashes only behind a part.
    fn read_boundary(
        &mut self,
        length: usize,
        in_part: bool,
        found: &mut VecDeque<PartEvent>,
    ) -> Result<bool, MultipartError> {
        let Some(next) = self.buffer.get(length..length + 2) else { return Ok(false) };
        let is_last = next == b"--" && (in_part || self.lenient());
        let is_line = !self.lenient() || b" \t\r\n".contains(&next[0]);
        if self.lenient() && next[0] == b'\n' {
            return Err(MultipartError::BareLineFeeds);
        }
        let bytes = self.buffer.split_to(length).freeze();
        if !is_last && !is_line {
            // A longer word that begins like it.
            self.state = if in_part { State::Value } else { State::Preamble };
            found.extend(in_part.then_some(PartEvent::Bytes(bytes)));
            return Ok(true);
        }
        found.extend(in_part.then_some(PartEvent::End));
        self.state = if is_last { State::Epilogue } else { State::Headers { searched: 0 } };
        Ok(true)
    }

    fn read_headers(&mut self, searched: usize, found: &mut VecDeque<PartEvent>) -> Result<bool, MultipartError> {
        let from = searched.saturating_sub(3);
        let end = memmem::find(&self.buffer[from..], b"\r\n\r\n").map(|at| from + at);
        if self.header_bytes + end.unwrap_or(self.buffer.len()) > HEADERS_LIMIT_BYTES {
            return Err(MultipartError::LongHeaders);
        }
        let Some(end) = end else {
            self.state = State::Headers { searched: self.buffer.len() };
            return Ok(false);
        };
        self.header_bytes += end;
        // What is left of the boundary's line: Telegram's server takes it for the two bytes of the line break.
        let line_end = if self.lenient() { memmem::find(&self.buffer, b"\r\n").unwrap_or(end) } else { 0 };
        let head = PartHead::read(&self.buffer[line_end + 2..end.max(line_end) + 2], self.reading)?;
        found.push_back(PartEvent::Begin(head));
        self.buffer.advance(end + 2);
        self.state = State::ValueStart;
        Ok(true)
    }

    fn begin_value(&mut self) -> bool {
        let delimiter = self.delimiter.needle();
        let follows_at_once = self.lenient() && self.buffer.starts_with(delimiter);
        if !follows_at_once && self.lenient() && delimiter.starts_with(&self.buffer) {
            return false;
        }
        if !follows_at_once {
            self.buffer.advance(2);
        }
        self.state = State::Value;
        true
    }

    fn read_value(&mut self, found: &mut VecDeque<PartEvent>) -> bool {
        let length = self.delimiter.needle().len();
        let boundary = self.delimiter.find(&self.buffer);
        let value = boundary.unwrap_or((self.buffer.len() + 1).saturating_sub(length));
        if value > 0 {
            found.push_back(PartEvent::Bytes(self.buffer.split_to(value).freeze()));
        }
        if boundary.is_some() {
            self.state = State::Boundary { length, in_part: true };
        }
        boundary.is_some()
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
