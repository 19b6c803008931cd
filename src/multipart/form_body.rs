//! Writes a form whose files are streams.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::io;

/// A form that is being put together. Names go out as raw UTF-8, which is what the Bot API server reads: of `name*` and
/// `filename*` it takes no notice.
pub struct FormBody {
    boundary: String,
    /// What goes before the next file.
    text: String,
    /// How many bytes the body has, without `text`.
    length: u64,
    pieces: Vec<BoxStream<'static, io::Result<Bytes>>>,
}

/// A form that is complete.
pub struct EncodedForm {
    /// The value of its `Content-Type`.
    pub content_type: String,
    /// The number of its bytes.
    pub length: u64,
    /// Its bytes.
    pub body: BoxStream<'static, io::Result<Bytes>>,
}

impl FormBody {
    /// A form without parts. Its boundary is random: no file can hold it on purpose.
    pub fn new() -> Self {
        let boundary = uuid::Uuid::now_v7().simple().to_string();
        Self { boundary, text: String::new(), length: 0, pieces: Vec::new() }
    }

    /// Adds a text.
    pub fn add_text(&mut self, name: &str, value: &str) {
        self.begin_part(name);
        self.text.push_str("\r\n\r\n");
        self.text.push_str(value);
        self.text.push_str("\r\n");
    }

    /// Adds a file of `size` bytes, which is how many the stream has to yield.
    pub fn add_file(
        &mut self,
        name: &str,
        filename: &str,
        size: u64,
        content: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) {
        self.begin_part(name);
        self.text.push_str(&format!("; filename=\"{}\"\r\n\r\n", escaped(filename)));
        self.flush_text();
        self.length += size;
        self.pieces.push(content.boxed());
        self.text.push_str("\r\n");
    }

    /// Ends the form.
    pub fn finish(mut self) -> EncodedForm {
        self.text.push_str(&format!("--{}--\r\n", self.boundary));
        self.flush_text();
        EncodedForm {
            content_type: format!("multipart/form-data; boundary={}", self.boundary),
            length: self.length,
            body: stream::iter(self.pieces).flatten().boxed(),
        }
    }

    fn begin_part(&mut self, name: &str) {
        let head = format!("--{}\r\nContent-Disposition: form-data; name=\"{}\"", self.boundary, escaped(name));
        self.text.push_str(&head);
    }

    fn flush_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.length += text.len() as u64;
        self.pieces.push(stream::once(async move { Ok(text.into()) }).boxed());
    }
}

impl Default for FormBody {
    fn default() -> Self {
        Self::new()
    }
}

/// A name for between quotation marks: percent-encoded where it would end them or its line, or would be decoded.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' | '%' | '\\' | '\0'..='\x1f' | '\x7f' => text.push_str(&format!("%{:02X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Boundary, Parts, Reading};
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_back_either_way() {
        let names = [
            "photo",
            "my plot #1.png",
            "\u{433}\u{440}\u{430}\u{444}\u{438}\u{43a} 100%.png",
            "a\"b\\c;d=e%41",
            "\r\n\t\u{1F408}",
        ];
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            let mut form = FormBody::new();
            for name in names {
                form.add_text(name, "a\r\n--value");
                let content = stream::iter([Ok(Bytes::from_static(b"con")), Ok(Bytes::from_static(b"tent"))]);
                form.add_file(name, name, 7, content);
            }
            let EncodedForm { content_type, length, body } = form.finish();
            let pieces: Vec<Bytes> = body.map(Result::unwrap).collect().await;
            assert_eq!(pieces.iter().map(|piece| piece.len() as u64).sum::<u64>(), length);
            let boundary = Boundary::of_content_type(content_type.as_bytes(), reading).unwrap();
            let pieces = stream::iter(pieces.into_iter().map(Ok::<_, io::Error>));
            let mut parts = Parts::new(pieces, &boundary, reading);
            for name in names {
                for (filename, value) in [(None, &b"a\r\n--value"[..]), (Some(name), b"content")] {
                    let head = parts.next_part().await.unwrap().unwrap();
                    assert_eq!(
                        (head.name.as_slice(), head.filename.as_deref()),
                        (name.as_bytes(), filename.map(str::as_bytes))
                    );
                    let mut read = Vec::new();
                    while let Some(piece) = parts.next_piece().await.unwrap() {
                        read.extend_from_slice(&piece);
                    }
                    assert_eq!(read, value);
                }
            }
            assert_eq!(parts.next_part().await.unwrap(), None);
        }
    }

    #[test]
    fn names_stay_readable() {
        assert_eq!(escaped("\u{433}\u{440}\u{430}\u{444} #1=;.png"), "\u{433}\u{440}\u{430}\u{444} #1=;.png");
        assert_eq!(escaped("100% \"x\"\r\n"), "100%25 %22x%22%0D%0A");
    }
}
