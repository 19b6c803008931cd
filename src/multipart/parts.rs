//! The parts of a form, read from a stream.

use super::boundary::Boundary;
use super::error::{MultipartError, PartsError};
use super::head::PartHead;
use super::reader::{FormReader, PartEvent};
use super::reading::Reading;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::collections::VecDeque;

/// The parts of the form that a stream of bytes is. The stream is read to its end, whatever stands behind the last
/// boundary, and no faster than the parts are asked for.
pub struct Parts<S> {
    body: S,
    /// Nothing once the body has ended.
    reader: Option<FormReader>,
    found: VecDeque<PartEvent>,
    /// What is wrong behind what was found.
    fault: Option<MultipartError>,
}

impl<S, E> Parts<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Reads a form from a body.
    pub fn new(body: S, boundary: &Boundary, reading: Reading) -> Self {
        let reader = Some(FormReader::new(boundary, reading));
        Self { body, reader, found: VecDeque::new(), fault: None }
    }

    /// The next part; what is left of the one before is passed over. Nothing behind the last one.
    ///
    /// # Errors
    /// If the body ends with an error, or is no form.
    pub async fn next_part(&mut self) -> Result<Option<PartHead>, PartsError<E>> {
        loop {
            match self.next_event().await? {
                None => return Ok(None),
                Some(PartEvent::Begin(head)) => return Ok(Some(head)),
                Some(PartEvent::Bytes(_) | PartEvent::End) => {}
            }
        }
    }

    /// The next bytes of the part's value; nothing at its end.
    ///
    /// # Errors
    /// As those of [`Parts::next_part`].
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, PartsError<E>> {
        match self.next_event().await? {
            Some(PartEvent::Bytes(bytes)) => Ok(Some(bytes)),
            Some(begin @ PartEvent::Begin(_)) => {
                self.found.push_front(begin);
                Ok(None)
            }
            Some(PartEvent::End) | None => Ok(None),
        }
    }

    /// The rest of the part's value as a stream.
    pub fn value(&mut self) -> impl Stream<Item = Result<Bytes, PartsError<E>>> {
        stream::unfold(self, |parts| async move {
            let piece = parts.next_piece().await.transpose()?;
            Some((piece, parts))
        })
    }

    async fn next_event(&mut self) -> Result<Option<PartEvent>, PartsError<E>> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Ok(Some(event));
            }
            if let Some(fault) = self.fault {
                return Err(PartsError::Malformed(fault));
            }
            let Some(reader) = &mut self.reader else { return Ok(None) };
            match self.body.next().await {
                Some(piece) => {
                    let piece = piece.map_err(PartsError::Body)?;
                    self.fault = reader.push(&piece, &mut self.found).err();
                }
                None => self.fault = self.reader.take().and_then(|reader| reader.finish().err()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(
        pieces: Vec<Result<&'static [u8], &'static str>>,
    ) -> Parts<impl Stream<Item = Result<Bytes, &'static str>> + Unpin> {
        let boundary = Boundary::of_content_type(b"multipart/form-data; boundary=b", Reading::Lenient).unwrap();
        let pieces = pieces.into_iter().map(|piece| piece.map(Bytes::from_static));
        Parts::new(stream::iter(pieces), &boundary, Reading::Lenient)
    }

    async fn value<E: std::fmt::Debug>(parts: &mut Parts<impl Stream<Item = Result<Bytes, E>> + Unpin>) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(piece) = parts.next_piece().await.unwrap() {
            value.extend_from_slice(&piece);
        }
        value
    }

    #[tokio::test]
    async fn parts_come_one_by_one_and_what_is_not_asked_for_is_passed_over() {
        let mut parts = parts(vec![
            Ok(b"--b\r\nContent-Disposition: form-data; name=one\r\n\r\n1\r"),
            Ok(b"\n--b\r\nContent-Disposition: form-data; name=two\r\n\r\n22"),
            Ok(b"\r\n--b\r\nContent-Disposition: form-data; name=three\r\n\r\n\r\n--b--\r\nmore"),
            Ok(b" and more"),
        ]);
        assert_eq!(parts.next_part().await.unwrap().unwrap().name, b"one");
        assert_eq!(value(&mut parts).await, b"1");
        assert_eq!(parts.next_part().await.unwrap().unwrap().name, b"two");
        let rest: Vec<_> = parts.value().collect().await;
        assert_eq!(rest, [Ok(Bytes::from_static(b"22"))]);
        assert_eq!(parts.next_part().await.unwrap().unwrap().name, b"three");
        assert_eq!(value(&mut parts).await, b"");
        for _ in 0..2 {
            assert_eq!(parts.next_part().await, Ok(None));
            assert_eq!(parts.next_piece().await, Ok(None));
        }
    }

    #[tokio::test]
    async fn a_fault_is_told_behind_what_came_before_it() {
        let head = &b"--b\r\nContent-Disposition: form-data; name=one\r\n\r\n1\r\n--b\r\nX"[..];
        let mut cut = parts(vec![Ok(head)]);
        assert!(cut.next_part().await.unwrap().is_some());
        assert_eq!(cut.next_part().await, Err(PartsError::Malformed(MultipartError::Unfinished)));
        assert_eq!(cut.next_part().await, Err(PartsError::Malformed(MultipartError::Unfinished)));
        let mut away = parts(vec![Ok(head), Err("away")]);
        assert!(away.next_part().await.unwrap().is_some());
        assert_eq!(value(&mut away).await, b"1");
        assert_eq!(away.next_part().await, Err(PartsError::Body("away")));
    }
}
