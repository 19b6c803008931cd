//! Reading bodies: whole under a limit, or multipart with its files to disk.

use super::State;
use super::arguments::{Arguments, Unreadable};
use super::store::Upload;
use crate::domain::Sha256;
use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt;
use sha2::Digest;
use tokio::io::{AsyncWriteExt, BufWriter};

/// The longest multipart boundary (Bot API server).
const BOUNDARY_LIMIT: usize = 70;
/// Chunks are gathered to this size before they go to the disk.
const WRITE_BUFFER: usize = 128 << 10;

const BROKEN: Unreadable = Unreadable::Status(400);

/// The whole body.
pub(super) async fn body(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Unreadable> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk: Bytes = chunk.map_err(|_| BROKEN)?;
        if body.len() + chunk.len() > limit {
            return Err(Unreadable::Status(413));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a body that means nothing.
pub(super) async fn drain(mut payload: Payload, limit: u64) -> Result<(), Unreadable> {
    let mut bytes = 0;
    while let Some(chunk) = payload.next().await {
        bytes += chunk.map_err(|_| BROKEN)?.len() as u64;
        if bytes > limit {
            return Err(Unreadable::TooLarge);
        }
    }
    Ok(())
}

/// Reads multipart. A part is a file only if it has a `filename`, if only an empty one.
pub(super) async fn read_multipart(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
    arguments: &mut Arguments,
) -> Result<(), Unreadable> {
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let boundary = header.split("boundary=").nth(1).unwrap_or("").split(';').next().unwrap_or("");
    if boundary.trim_matches('"').len() > BOUNDARY_LIMIT {
        return Err(BROKEN);
    }
    let mut parts = Multipart::new(request.headers(), payload);
    let mut budget = state.options.max_body();
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| BROKEN)?;
        let disposition = part.content_disposition().ok_or(BROKEN)?;
        let name = percent_decoded(disposition.get_name().ok_or(BROKEN)?.as_bytes(), false);
        let file_name = disposition.get_filename().map(|file_name| percent_decoded(file_name.as_bytes(), false));
        match file_name {
            Some(file_name) => {
                let file_name = String::from_utf8_lossy(&file_name).into_owned();
                let upload = receive(state, &mut part, file_name, &mut budget).await?;
                state.desk().stats.received(upload.bytes);
                arguments.add_file(String::from_utf8_lossy(&name).into_owned(), upload)?;
            }
            None => {
                let form = part.content_type().is_some_and(|mime| *mime == "application/x-www-form-urlencoded");
                let text = receive_text(&mut part, arguments.room()).await?;
                if form { arguments.add_form(&text)? } else { arguments.add(name, text)? }
            }
        }
    }
    Ok(())
}

async fn receive(state: &State, part: &mut Field, file_name: String, budget: &mut u64) -> Result<Upload, Unreadable> {
    // A full disk is the only way for this to fail; the sender can do nothing but try later.
    const NO_ROOM: Unreadable = Unreadable::Status(507);
    let (file, path) = tempfile::NamedTempFile::new_in(state.store.incoming()).map_err(|_| NO_ROOM)?.into_parts();
    let mut file = BufWriter::with_capacity(WRITE_BUFFER, tokio::fs::File::from_std(file));
    let mut hash = sha2::Sha256::new();
    let mut bytes = 0;
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|_| BROKEN)?;
        *budget = budget.checked_sub(chunk.len() as u64).ok_or(Unreadable::TooLarge)?;
        bytes += chunk.len() as u64;
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(|_| NO_ROOM)?;
    }
    file.flush().await.map_err(|_| NO_ROOM)?;
    Ok(Upload { path, sha256: Sha256::from_bytes(hash.finalize().into()), bytes, file_name })
}

async fn receive_text(part: &mut Field, room: usize) -> Result<Vec<u8>, Unreadable> {
    let mut text = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|_| BROKEN)?;
        if text.len() + chunk.len() > room {
            return Err(Unreadable::Status(413));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// Undoes percent-encoding; in forms a plus is a space.
pub(super) fn percent_decoded(text: &[u8], form: bool) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if form => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    decoded
}
