//! The Bot API face: a reverse proxy for Telegram's Bot API, so that any client library works when its base URL is
//! changed. What makes, changes or deletes messages goes through the queue like any other notification, and its caller
//! waits for Telegram's result ([`call`]); everything else is passed through as a stream ([`proxying`]).
//!
//! The token in the address is the credential. API keys are for the native API only, and so is the rule that without keys
//! only programs on this machine are served: a page in a browser cannot know a token.

mod arguments;
mod backlog_estimate;
mod bot_tokens;
mod call;
mod caller;
mod chat;
mod content_type;
mod error;
mod face;
mod form;
mod idempotency;
mod inline;
mod methods;
mod outcome;
mod proxying;
mod read_arguments;
mod reencode;
pub mod routes;
mod send_request;
mod token_mask;

pub use face::BotApiFace;
