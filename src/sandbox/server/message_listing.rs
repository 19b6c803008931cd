//! The list of messages, written piece by piece.

use crate::sandbox::log::MessageFilter;
use crate::sandbox::state::SandboxState;
use actix_web::web::Bytes;
use futures_util::stream::{self, LocalBoxStream};
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

/// How many messages are written at a time, so that a long list needs little memory and holds nobody up.
const MESSAGES_PER_CHUNK: usize = 500;

/// What is left of a list of messages to write.
pub struct MessageListing {
    state: Arc<SandboxState>,
    filter: MessageFilter,
    left: usize,
    opened: bool,
    closed: bool,
}

impl MessageListing {
    /// The messages that match, oldest first.
    pub fn new(state: Arc<SandboxState>, mut filter: MessageFilter) -> Self {
        let left = filter.limit.unwrap_or(usize::MAX);
        filter.after = Some(state.history.lock().log.before(&filter));
        Self { state, filter, left, opened: false, closed: false }
    }

    /// `{"messages": […]}` in chunks.
    pub fn into_stream(self) -> LocalBoxStream<'static, Result<Bytes, Infallible>> {
        Box::pin(stream::unfold(self, |mut listing| async move {
            if listing.closed {
                return None;
            }
            let chunk = listing.chunk();
            Some((Ok(Bytes::from(chunk)), listing))
        }))
    }

    fn chunk(&mut self) -> String {
        self.filter.limit = Some(self.left.min(MESSAGES_PER_CHUNK));
        let some = self.state.history.lock().log.select(&self.filter);
        let mut text = String::from(if self.opened { "" } else { "{\"messages\":[" });
        for (index, message) in some.iter().enumerate() {
            let comma = if self.opened || index > 0 { ",\n" } else { "" };
            let json = serde_json::to_string(message).unwrap_or_default();
            let _ = write!(text, "{comma}{json}");
        }
        self.opened |= !some.is_empty();
        self.left -= some.len();
        match some.last() {
            Some(last) if self.left > 0 => self.filter.after = Some(last.seq),
            _ => {
                text.push_str("]}\n");
                self.closed = true;
            }
        }
        text
    }
}
