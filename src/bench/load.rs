//! Callers: each posts over a connection of its own, one after the other.

use super::png;
use anyhow::{Context, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How many callers [`post_all`] has, and how many of what a ceiling does are under way at a time.
pub const CALLERS: usize = 64;

/// How large a picture is, in bytes.
const PHOTO_BYTES: usize = 100_000;

/// A request of which many are made, all of them different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    /// A text.
    Text,
    /// A PNG of 100,000 bytes.
    Photo,
}

impl Post {
    /// The text with this number.
    pub fn text(number: usize) -> String {
        format!("The backup of host {number} has not run.")
    }

    /// The picture with this number.
    pub fn photo(number: usize) -> Vec<u8> {
        png::png(64, 64, PHOTO_BYTES, number as u64)
    }

    /// The whole request with this number, to a chat of its own.
    pub fn request(self, number: usize) -> Vec<u8> {
        let chat_id = number + 1;
        let (kind, body) = match self {
            Self::Text => {
                let body = format!(r#"{{"chat_id":{chat_id},"text":"{}"}}"#, Self::text(number));
                ("application/json", body.into_bytes())
            }
            Self::Photo => {
                let head = format!(
                    "--b\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n{chat_id}\r\n--b\r\nContent-Disposition: \
                     form-data; name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
                );
                let body = [head.as_bytes(), &Self::photo(number), b"\r\n--b--\r\n"].concat();
                ("multipart/form-data; boundary=b", body)
            }
        };
        let head = format!(
            "POST /v1/notifications HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    }

    /// So many requests, from this number on.
    pub fn requests(self, from: usize, count: usize) -> Vec<Vec<u8>> {
        (from..from + count).map(|number| self.request(number)).collect()
    }
}

/// A connection on which requests are made.
pub struct Caller {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Caller {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect as a caller")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// It is not answered 202.
    pub async fn post(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let Self { stream, read } = self;
        stream.write_all(request).await?;
        read.clear();
        loop {
            ensure!(stream.read_buf(read).await? > 0, "the connection was closed before a response");
            let Some(head) = read.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
            if read.len() >= head + 4 + content_length(&text) {
                ensure!(text.starts_with("http/1.1 202"), "not accepted: {}", String::from_utf8_lossy(read));
                return Ok(());
            }
        }
    }
}

/// The length of a body by the lower-case head before it; 0 if that does not say.
pub fn content_length(head: &str) -> usize {
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// Posts these requests, as fast as they are answered; how long that took.
///
/// # Errors
/// One is not accepted.
pub async fn post_all(address: SocketAddr, requests: Vec<Vec<u8>>) -> anyhow::Result<Duration> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(Caller::connect(address).await?);
    }
    let began = Instant::now();
    let mut calling = JoinSet::new();
    for mut caller in callers {
        let (requests, next) = (requests.clone(), next.clone());
        calling.spawn(async move {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                caller.post(request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(called) = calling.join_next().await {
        called??;
    }
    Ok(began.elapsed())
}

/// The status with which a path is answered.
pub async fn status_of(address: SocketAddr, path: &str) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect(address).await.context("connect")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status in the response")
}
