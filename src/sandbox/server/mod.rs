//! The HTTP server of a sandbox: the Bot API, downloads, `/sandbox/…`, and deliveries to webhooks.

mod api_response;
mod bot_api_request;
mod control;
mod execute;
mod http;
mod injected_fault;

pub use http::bind;
