//! The Bot API face: a reverse proxy for Telegram's Bot API, so that any client library works when its base URL is
//! changed. What makes, changes or deletes messages goes through the queue like any other notification, and its caller
//! waits for Telegram's result ([`queued_call`]); everything else is passed through as a stream ([`proxying`]).
//!
//! The token in the address is the credential: API keys belong to the native API, and so does the rule that without any
//! only this machine's own programs are served, since a page in a browser cannot know a token.

mod arguments;
mod backlog_estimate;
mod error;
mod face;
mod form;
mod inline;
mod json;
mod methods;
mod outcome;
mod percent;
mod proxying;
mod queued_call;
mod read_arguments;
mod reencode;
pub mod routes;
mod send_request;
mod tokens;

pub use face::BotApiFace;
