//! What every face of the HTTP API needs: its state, the server, reading a body within limits, authentication, the
//! access log, draining at a graceful shutdown, liveness and readiness probes, and problem documents (RFC 9457). It knows
//! no face: [`crate::app`] hands the routes of all of them to [`server::start`].

pub mod access_log;
pub mod auth;
mod base64;
pub mod body;
mod body_rate;
pub mod caller;
pub mod callers;
pub mod client_trace;
pub mod connections;
pub mod document_memory;
pub mod drain;
pub mod json_stream;
mod local_only;
pub mod percent;
pub mod probes;
pub mod problem;
pub mod proxied;
mod rate_meter;
pub mod request_id;
pub mod routing;
pub mod server;
pub mod state;
mod to_the_end;
