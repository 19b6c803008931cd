//! The HTTP server of a sandbox: the Bot API, downloads, `/sandbox/…`, and deliveries to webhooks.

mod api_response;
mod bot_api_call;
mod control;
mod cut_connection;
mod execute;
mod file_download;
pub mod http;
mod injected_fault;
mod message_listing;
