//! One attempt at one notification, in this order: mark the start in the ledger ([`AttemptRun::run`] begins there), make
//! the request, classify the answer, record the outcome, ack. Everything durable that a send needs happens here; what
//! to do next is reported to the courier.

mod attempt_run;
mod begin;
mod conclude;
mod count;
mod departure_gate;
mod departure_log;
mod recording;
mod report;
mod request;
mod reusable_images;
mod run;

pub use attempt_run::{AttemptRun, OwnershipCheck};
pub use departure_gate::{Approach, DepartureGate, STALL_THRESHOLD};
pub use recording::ack;
pub use report::AttemptReport;
pub use reusable_images::reusable_images;
