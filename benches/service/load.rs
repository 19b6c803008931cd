//! Callers: each posts over a connection of its own, one after the other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CALLERS: usize = 64;

/// A request of which many are made, all of them different.
#[derive(Clone, Copy)]
pub enum Post {
    /// A text.
    Small,
    /// A PNG of 100,000 bytes.
    Photo,
}

impl Post {
    /// The whole request with this number.
    pub fn request(self, number: usize) -> Vec<u8> {
        let chat_id = number + 1;
        let (kind, body) = match self {
            Self::Small => {
                let body = format!(r#"{{"chat_id":{chat_id},"text":"The backup of host {number} has not run."}}"#);
                ("application/json", body.into_bytes())
            }
            Self::Photo => {
                let image = crate::images::png(64, 64, 100_000, number as u64);
                let head = format!(
                    "--b\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n{chat_id}\r\n--b\r\nContent-Disposition: \
                     form-data; name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
                );
                ("multipart/form-data; boundary=b", [head.as_bytes(), &image, b"\r\n--b--\r\n"].concat())
            }
        };
        let head = format!(
            "POST /v1/notifications HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    }
}

/// A connection on which requests are made.
pub struct Caller(TcpStream, Vec<u8>);

impl Caller {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream, Vec::new())
    }

    /// Sends a request and wants a 202.
    pub async fn post(&mut self, request: &[u8]) {
        let Self(stream, read) = self;
        stream.write_all(request).await.unwrap();
        read.clear();
        loop {
            assert!(stream.read_buf(read).await.unwrap() > 0, "closed");
            let Some(head) = read.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
            let length =
                text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
            if read.len() >= head + 4 + length.unwrap_or(0) {
                assert!(text.starts_with("http/1.1 202"), "{}", String::from_utf8_lossy(read));
                return;
            }
        }
    }
}

/// Posts these requests, as fast as they are answered; how long that took.
pub async fn post_all(address: SocketAddr, requests: Vec<Vec<u8>>) -> Duration {
    let (requests, next) = (std::sync::Arc::new(requests), std::sync::Arc::new(AtomicUsize::new(0)));
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(Caller::connect(address).await);
    }
    let began = Instant::now();
    let calling = callers.into_iter().map(|mut caller| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                caller.post(request).await;
            }
        })
    });
    for caller in calling.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    began.elapsed()
}

/// The status with which a path is answered.
pub async fn status_of(address: SocketAddr, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
