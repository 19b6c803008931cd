//! The native API, `/v1/...`: JSON or forms in, JSON out, errors as problem documents.

mod changes;
mod files;
mod images;
mod notifications;
pub mod openapi;
mod problems;
mod query;
mod recipients;
pub mod request;
pub mod routes;
mod schema;
mod view;
mod webhook;
