//! The Bot API's methods, checked as Telegram does. Adding one takes a line in `method_names.rs` and one in `dispatch.rs`.

mod album;
mod call;
mod chats;
mod copy;
mod dispatch;
mod edit;
mod files;
mod inline;
mod media_argument;
mod plain;
mod send;
mod updates;

pub use call::SandboxCall;
pub use dispatch::run;
