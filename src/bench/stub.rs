//! A Bot API that answers every call at once, and says when they came.

use super::load::content_length;
use anyhow::Context;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const RESULT: &str = r#"{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":1,"type":"private","first_name":"A"},"text":"x","photo":[{"file_id":"AgACAgIAAxkBAAIB","file_unique_id":"AQAD","file_size":100,"width":90,"height":90}]}}"#;

/// How many sends have come, and when the first and the last did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receipts {
    /// How many.
    pub count: usize,
    /// When the first was there.
    pub first: Option<Instant>,
    /// When the last was there.
    pub last: Option<Instant>,
}

/// See the module. Takes no more connections when dropped.
pub struct Stub {
    address: SocketAddr,
    receipts: watch::Receiver<Receipts>,
    serving: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stub {
    /// Listens on a free port of this machine.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen as a Bot API")?;
        let address = listener.local_addr()?;
        let (receive, receipts) = watch::channel(Receipts::default());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, receive.clone()));
            }
        });
        Ok(Self { address, receipts, serving })
    }

    /// Its address, as `bot_api_url` has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has come until now.
    pub fn receipts(&self) -> Receipts {
        *self.receipts.borrow()
    }

    /// Waits until so many have come.
    pub async fn received(&self, count: usize) -> anyhow::Result<Receipts> {
        let mut receipts = self.receipts.clone();
        Ok(*receipts.wait_for(|receipts| receipts.count >= count).await.context("the Bot API has ended")?)
    }
}

async fn serve(mut stream: TcpStream, receive: watch::Sender<Receipts>) {
    let _ = stream.set_nodelay(true);
    let mut read = Vec::with_capacity(256 * 1024);
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{RESULT}",
        RESULT.len()
    );
    loop {
        let Some(length) = whole_request(&mut stream, &mut read).await else { return };
        let line = read.split(|byte| *byte == b'\r').next().unwrap_or_default();
        if line.windows(5).any(|word| word == b"/send") {
            let now = Instant::now();
            receive.send_modify(|receipts| {
                receipts.count += 1;
                receipts.first.get_or_insert(now);
                receipts.last = Some(now);
            });
        }
        read.drain(..length);
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads until there is one, and says how long it is.
async fn whole_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(length) = length_of(read)
            && read.len() >= length
        {
            return Some(length);
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

fn length_of(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let end = read[head..].windows(5).position(|end| end == b"0\r\n\r\n")?;
        return Some(head + end + 5);
    }
    Some(head + content_length(&text))
}
