//! A client of the event stream, as one is written that wants to miss nothing.

use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// What a stream has told.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: String,
    pub kind: String,
    pub data: Value,
}

impl Told {
    /// The notification.
    pub fn notification(&self) -> String {
        self.data["data"]["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }
}

/// One connection.
pub struct EventReader {
    response: Response,
    unread: Vec<u8>,
    /// Where to go on.
    pub last_id: String,
}

impl EventReader {
    /// Opens the stream that a request asks for, behind an event if one is named; it must be one.
    pub async fn open(request: RequestBuilder, last_id: &str) -> Self {
        Self::try_open(request, last_id).await.expect("a stream")
    }

    /// The same; `None` if the connection or the answer is none.
    pub async fn try_open(request: RequestBuilder, last_id: &str) -> Option<Self> {
        let request = if last_id.is_empty() { request } else { request.header("Last-Event-ID", last_id) };
        let response = request.send().await.ok()?.error_for_status().ok()?;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reader = Self { response, unread: Vec::new(), last_id: String::new() };
        // Before anything else it tells where it begins.
        let (id, kind, data) = reader.block().await?;
        assert!(!id.is_empty() && kind.is_empty() && data.is_empty());
        assert!(last_id.is_empty() || last_id == id, "it goes on where it is asked to");
        Some(reader)
    }

    /// The next event; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            let (id, kind, data) = self.block().await?;
            if !kind.is_empty() {
                return Some(Told { id, kind, data: serde_json::from_str(&data).unwrap() });
            }
        }
    }

    /// So many events.
    pub async fn take(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(
                tokio::time::timeout(Duration::from_secs(60), self.next()).await.expect("in time").expect("open"),
            );
        }
        told
    }

    /// Whether nothing is told for so long.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.next()).await.is_err()
    }

    /// Id, type and data of what stands up to the next empty line.
    async fn block(&mut self) -> Option<(String, String, String)> {
        let end = loop {
            if let Some(end) = self.unread.windows(2).position(|bytes| bytes == b"\n\n") {
                break end;
            }
            self.unread.extend(self.response.chunk().await.ok()??);
        };
        let block: Vec<u8> = self.unread.drain(..end + 2).collect();
        let block = String::from_utf8(block).unwrap();
        let field = |name: &str| {
            let mut lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            lines.next().unwrap_or_default().to_owned()
        };
        self.last_id = field("id");
        Some((field("id"), field("event"), field("data")))
    }
}
