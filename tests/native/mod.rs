//! The native API over HTTP: what is taken, what is rejected and why, what becomes of it.

mod batch;
mod bodies;
mod callbacks;
mod caller_quotas;
mod changes;
mod clients;
mod field_files;
mod follow_ups;
mod generated_clients;
mod hostile_images;
mod http_surface;
mod idempotency;
mod images;
mod lifecycle;
mod operations;
mod recipients;
mod rejections;
mod schemathesis;
mod sends;
mod upload_memory;
mod written_requests;
