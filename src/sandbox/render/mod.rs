//! Messages in the Bot API's JSON.

mod media_json;
mod message_json;

pub use message_json::message_json;
