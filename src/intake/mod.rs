//! Intake: stores the files of a request under their digests (deduplication), and has the engine accept it as a
//! notification. It knows no face: each makes a [`send_request::SendRequest`] and calls [`Intake::accept`], or
//! [`Intake::deliver`] if its caller waits for the outcome. Whatever is wrong with a request becomes a
//! [`rejection::Rejection`].
//!
//! A file is durable before the notification that names it. A crash in between leaves a file without a notification, which
//! is swept after its retention; never a notification without its file.

mod accept;
mod account;
mod bots;
mod callback;
pub mod caller;
pub mod caller_quota;
mod cancel;
mod deliver;
pub mod fingerprint;
mod image_check;
pub mod json_limits;
pub mod members;
pub mod operations;
mod outcome_wait;
mod process_folder;
mod quota;
pub mod recipients;
pub mod rejection;
mod resent;
mod retry;
pub mod room;
pub mod send_request;
pub mod spool;
mod staging;
mod stored_image;
pub mod summary;
pub mod turns;
mod upload_memory;

pub use accept::{Acceptance, Intake, StoredFile};
pub use bots::configured_bot;
pub use deliver::Delivered;
