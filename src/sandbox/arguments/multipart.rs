//! Reading multipart: texts into memory, files to the disk.

use super::body::{BROKEN, read_to_end};
use super::call_arguments::{CallArguments, RequestReadError};
use super::percent::percent_decoded;
use crate::domain::Sha256;
use crate::sandbox::files::{MediaStore, ReceivedFile};
use crate::sandbox::locked::Locked;
use crate::sandbox::log::StatsCounters;
use actix_multipart::{Field, Multipart};
use actix_web::http::header::HeaderMap;
use actix_web::web::Payload;
use futures_util::StreamExt;
use sha2::Digest;
use tokio::io::{AsyncWriteExt, BufWriter};

/// The longest multipart boundary (Bot API server).
const MAX_BOUNDARY_BYTES: usize = 70;
/// Chunks are gathered to this size before they go to the disk.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

/// The parts of a body, unless their boundary is too long.
pub fn parts(headers: &HeaderMap, payload: Payload) -> Result<Multipart, RequestReadError> {
    let header = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let boundary = header.split("boundary=").nth(1).unwrap_or("").split(';').next().unwrap_or("");
    if boundary.trim_matches('"').len() > MAX_BOUNDARY_BYTES {
        return Err(BROKEN);
    }
    Ok(Multipart::new(headers, payload))
}

/// Reads the parts. One is a file only if it has a `filename`, if only an empty one.
pub async fn read(
    mut parts: Multipart,
    store: &MediaStore,
    stats: &Locked<StatsCounters>,
    mut file_bytes_left: u64,
    arguments: &mut CallArguments,
) -> Result<(), RequestReadError> {
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| BROKEN)?;
        let disposition = part.content_disposition().ok_or(BROKEN)?;
        let name = percent_decoded(disposition.get_name().ok_or(BROKEN)?.as_bytes()).into_owned();
        let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let file_name = disposition.get_filename().map(|name| lossy(&percent_decoded(name.as_bytes())));
        match file_name {
            Some(file_name) => {
                let file = receive(store, &mut part, file_name, &mut file_bytes_left).await?;
                stats.lock().received(file.bytes);
                arguments.add_file(lossy(&name), file)?;
            }
            None => {
                let form = part.content_type().is_some_and(|mime| *mime == "application/x-www-form-urlencoded");
                let text = read_to_end(&mut part, arguments.text_bytes_left()).await?;
                if form { arguments.add_form(&text)? } else { arguments.add(name, text)? }
            }
        }
    }
    Ok(())
}

async fn receive(
    store: &MediaStore,
    part: &mut Field,
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
