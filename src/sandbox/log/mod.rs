//! The log: the messages that were delivered, the counters, and what open pages are told.

mod chat_history;
mod file_kind;
mod message;
mod message_log;
mod page_events;
mod stats;

pub use chat_history::ChatHistory;
pub use file_kind::FileKind;
pub use message::{MediaOrigin, SandboxMedia, SandboxMessage, SandboxThumbnail};
pub use message_log::MessageFilter;
pub use page_events::{PageEvent, PageEvents};
pub use stats::{SandboxBotStats, SandboxStats, StatsCounters};
