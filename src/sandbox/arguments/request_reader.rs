//! Reading a request's arguments by its content type: texts into memory, files to the disk as they arrive.

use super::call_arguments::{MAX_TEXT_BYTES, RequestReadError, SandboxArguments};
use crate::domain::Sha256;
use crate::multipart::{Boundary, MultipartError, PartHead, Parts, PartsError, Reading};
use crate::sandbox::files::{MediaStore, ReceivedFile};
use crate::sandbox::locked::Locked;
use crate::sandbox::log::StatsCounters;
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, Payload};
use futures_util::{Stream, StreamExt};
use sha2::Digest;
use std::pin::pin;
use tokio::io::{AsyncWriteExt, BufWriter};

/// Chunks are gathered to this size before they go to the disk.
const WRITE_BUFFER_BYTES: usize = 128 << 10;
/// The connection broke off, or the body is not what it says it is.
const BROKEN: RequestReadError = RequestReadError::Status(400);

pub struct RequestReader<'a> {
    pub store: &'a MediaStore,
    pub stats: &'a Locked<StatsCounters>,
    /// The largest request, in bytes.
    pub max_body_bytes: u64,
}

impl RequestReader<'_> {
    pub async fn read(&self, request: &HttpRequest, payload: Payload) -> Result<SandboxArguments, RequestReadError> {
        let mut arguments = SandboxArguments::default();
        arguments.add_form(request.query_string().as_bytes())?;
        let header = request.headers().get("content-type").map_or(&[][..], |value| value.as_bytes());
        let content_type = String::from_utf8_lossy(header).to_ascii_lowercase();
        let is = |name| content_type.contains(name);
        match () {
            () if is("multipart/form-data") => {
                let boundary = Boundary::of_content_type(header, Reading::AsTelegram).map_err(|_| BROKEN)?;
                self.read_parts(Parts::new(payload, &boundary, Reading::AsTelegram), &mut arguments).await?;
            }
            () if is("application/x-www-form-urlencoded") => {
                arguments.add_form(&read_to_end(payload, MAX_TEXT_BYTES).await?)?;
            }
            () if is("application/json") => arguments.add_json(&read_to_end(payload, MAX_TEXT_BYTES).await?)?,
            () => {
                let mut bytes_left = self.max_body_bytes;
                let file = receive(self.store, payload, String::new(), &mut bytes_left).await?;
                if file.bytes > 0 {
                    self.stats.lock().received(file.bytes);
                    arguments.add_file("file".to_owned(), file)?;
                }
            }
        }
        Ok(arguments)
    }

    /// Reads the parts. One is a file only if it has a `filename`, if only an empty one.
    async fn read_parts(
        &self,
        mut parts: Parts<Payload>,
        arguments: &mut SandboxArguments,
    ) -> Result<(), RequestReadError> {
        let mut file_bytes_left = self.max_body_bytes;
        while let Some(PartHead { name, filename, content_type, .. }) = parts.next_part().await.map_err(error_of)? {
            match filename {
                Some(filename) => {
                    let filename = String::from_utf8(filename).unwrap_or_default();
                    let file = receive(self.store, pin!(parts.value()), filename, &mut file_bytes_left).await?;
                    self.stats.lock().received(file.bytes);
                    arguments.add_file(String::from_utf8_lossy(&name).into_owned(), file)?;
                }
                None => {
                    let text = read_to_end(pin!(parts.value()), arguments.text_bytes_left()).await?;
                    let form = content_type.starts_with(b"application/x-www-form-urlencoded");
                    if form { arguments.add_form(&text)? } else { arguments.add(name, text)? }
                }
            }
        }
        Ok(())
    }
}

fn error_of(error: PartsError<PayloadError>) -> RequestReadError {
    match error {
        PartsError::Malformed(MultipartError::LongHeaders) => RequestReadError::Status(431),
        PartsError::Malformed(_) | PartsError::Body(_) => BROKEN,
    }
}

async fn receive<E>(
    store: &MediaStore,
    mut part: impl Stream<Item = Result<Bytes, E>> + Unpin,
    file_name: String,
    bytes_left: &mut u64,
) -> Result<ReceivedFile, RequestReadError> {
    // A full disk is the only way for this to fail; the sender can do nothing but try later.
    const DISK_FULL: RequestReadError = RequestReadError::Status(507);
    let (file, path) = tempfile::NamedTempFile::new_in(store.incoming()).map_err(|_| DISK_FULL)?.into_parts();
    let mut file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, tokio::fs::File::from_std(file));
    let mut hash = sha2::Sha256::new();
    let mut bytes = 0;
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|_| BROKEN)?;
        *bytes_left = bytes_left.checked_sub(chunk.len() as u64).ok_or(RequestReadError::TooLarge)?;
        bytes += chunk.len() as u64;
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(|_| DISK_FULL)?;
    }
    file.flush().await.map_err(|_| DISK_FULL)?;
    Ok(ReceivedFile { path, sha256: Sha256::from_bytes(hash.finalize().into()), bytes, file_name })
}

/// The whole body, or the whole of one part of it.
async fn read_to_end<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    max_bytes: usize,
) -> Result<Vec<u8>, RequestReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BROKEN)?;
        if body.len() + chunk.len() > max_bytes {
            return Err(RequestReadError::Status(413));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
