//! Sending stored files: with their length, and in part where a part is asked for.

use super::content_type::content_type;
use super::media_store::MediaStore;
use crate::domain::{ImageFormat, Sha256};
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, body::SizedStream};
use futures_util::stream;
use std::io::SeekFrom;
use std::ops::Range;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const CHUNK_BYTES: usize = 64 << 10;

/// Answers with a kept content. Only images are named as what they are; nothing that was uploaded can run in the page's
/// place.
pub async fn send_content(store: &MediaStore, headers: &HeaderMap, sha256: &Sha256) -> HttpResponse {
    let Ok(mut file) = File::open(store.path(sha256)).await else { return HttpResponse::NotFound().finish() };
    let mut head = [0; ImageFormat::SNIFF_BYTES];
    let read = file.read(&mut head).await.unwrap_or(0);
    let image = ImageFormat::sniff(&head[..read]).and_then(|format| content_type(format.filename()));
    let (Ok(about), Ok(_)) = (file.metadata().await, file.rewind().await) else {
        return HttpResponse::NotFound().finish();
    };
    send_range(file, about.len(), headers, image.unwrap_or("application/octet-stream")).await
}

/// Answers with a file of this length or the part of it that the request's headers ask for.
async fn send_range(mut file: File, length: u64, headers: &HeaderMap, content_type: &str) -> HttpResponse {
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let part = asked.and_then(|asked| part(asked, length));
    if part.as_ref().is_some_and(Range::is_empty) {
        let content_range = format!("bytes */{length}");
        return HttpResponse::RangeNotSatisfiable().insert_header((header::CONTENT_RANGE, content_range)).finish();
    }
    let mut response = HttpResponse::Ok();
    let range = match part {
        Some(range) => {
            response = HttpResponse::PartialContent();
            let content_range = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            response.insert_header((header::CONTENT_RANGE, content_range));
            range
        }
        None => 0..length,
    };
    if range.start > 0 && file.seek(SeekFrom::Start(range.start)).await.is_err() {
        return HttpResponse::NotFound().finish();
    }
    let bytes = range.end - range.start;
    let body = stream::unfold((file, bytes), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES))];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(Bytes::from(chunk)), (file, left - read as u64)))
            }
            Err(e) => Some((Err(e), (file, 0))),
        }
    });
    response
        .content_type(content_type)
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CACHE_CONTROL, "max-age=31536000, immutable"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .body(SizedStream::new(bytes, Box::pin(body)))
}

/// The bytes that a `Range` header means: none if it means nothing here, an empty range if there are no such bytes.
fn part(asked: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = asked.strip_prefix("bytes=")?.trim().split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", count) => {
            let count: u64 = count.parse().ok()?;
            Some(length - count.min(length)..length)
        }
        (first, last) => {
            let first: u64 = first.parse().ok()?;
            let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
            let end = last.saturating_add(1).min(length);
            (first <= last).then_some(if first < end { first..end } else { 0..0 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_what_is_none_is_passed_over() {
        for (asked, means) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=90-", Some(90..100)),
            ("bytes=90-500", Some(90..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-500", Some(0..100)),
            ("bytes=100-", Some(0..0)),
            ("bytes=5-4", None),
            ("bytes=-0", Some(100..100)),
            ("bytes=1-2,4-5", None),
            ("lines=1-2", None),
            ("bytes=-", None),
        ] {
            assert_eq!(part(asked, 100), means, "{asked}");
        }
    }
}
