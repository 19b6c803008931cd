//! A connection over which a service tells how notifications end: server-sent events.

use reqwest::Response;
use serde_json::Value;
use std::time::Duration;

/// A service says something every 15 s; one that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// See the module.
pub struct EventConnection {
    response: Response,
    unread: Vec<u8>,
    /// The id of the last event, or of the place that the service has named since.
    pub last_id: String,
}

impl EventConnection {
    /// Over a response that has just begun, behind the event of this id.
    pub fn new(response: Response, last_id: &str) -> Self {
        Self { response, unread: Vec::new(), last_id: last_id.to_owned() }
    }

    /// The data of the next event; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let block = self.block().await?;
            let block = String::from_utf8_lossy(&block);
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            if let Some(id) = field("id") {
                id.clone_into(&mut self.last_id);
            }
            if let Some(data) = field("data").and_then(|data| serde_json::from_str(data).ok()) {
                return Some(data);
            }
        }
    }

    /// What stands up to the next empty line.
    async fn block(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.unread, b"\n\n") {
                return Some(self.unread.drain(..end + 2).collect());
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await.ok()?.ok()??;
            self.unread.extend_from_slice(&chunk);
        }
    }
}
