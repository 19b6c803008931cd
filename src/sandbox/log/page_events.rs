//! What the open pages are told: messages that were sent, changed or deleted, and resets.

use super::message::SandboxMessage;
use std::sync::Arc;
use tokio::sync::broadcast;

/// How many events a slow page may lag behind before it must read the log again.
const MAX_LAG_EVENTS: usize = 1024;

/// An event's name and its data, as JSON.
pub type PageEvent = (&'static str, Arc<str>);

pub struct PageEvents {
    sender: broadcast::Sender<PageEvent>,
    /// Tells this run from others: numbers start again with every run, and a page that meets another run does too.
    pub run: u128,
}

impl PageEvents {
    pub fn new(run: u128) -> Self {
        Self { sender: broadcast::channel(MAX_LAG_EVENTS).0, run }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<PageEvent> {
        self.sender.subscribe()
    }

    /// Tells of a message that was sent, changed or deleted.
    pub fn publish(&self, message: &SandboxMessage) {
        if self.sender.receiver_count() > 0 {
            self.send("message", serde_json::to_string(message).unwrap_or_default().into());
        }
    }

    /// Tells that all messages were forgotten.
    pub fn reset(&self) {
        self.send("reset", "{}".into());
    }

    fn send(&self, name: &'static str, json: Arc<str>) {
        // Fails only when no page is open.
        let _ = self.sender.send((name, json));
    }
}
