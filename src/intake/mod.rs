//! Intake, the counter: what a face has read is checked, its files are stored under their digests, and it is handed to
//! the engine as a notification. It knows no face: each makes a [`send_request::SendRequest`] and calls
//! [`Intake::accept`], or [`Intake::deliver`] if its caller waits for the outcome.
//!
//! Order of effects: a file is durable before the notification that names it. A crash in between leaves a file without a
//! notification, which is swept after its retention, never the reverse.

mod accept;
mod account;
pub mod fingerprint;
mod image_check;
pub mod json_limits;
pub mod members;
mod outcome_wait;
pub mod recipients;
pub mod rejection;
mod retry;
pub mod send_request;
pub mod spool;
mod staging;

pub use accept::{Acceptance, Intake, StoredFile};
