//! The native API, `/v1/...`: JSON or forms in, JSON out, errors as problem documents (RFC 9457). A handler reads its
//! request with [`request`], and has the work done by [`crate::intake`] or a port.

mod batch;
mod batch_items;
mod bot_view;
mod bots;
mod callback_view;
mod callbacks;
mod changes;
mod described_statuses;
mod event_stream;
mod events;
mod files;
mod filter;
mod image_content;
mod images;
mod listing;
mod notifications;
pub mod openapi;
mod openapi_examples;
mod operation_view;
mod operations;
mod pausing;
mod problems;
pub mod process;
mod query;
mod recipient_view;
mod recipients;
pub mod request;
pub mod routes;
mod schema;
mod view;
mod wait;
mod webhook;
