//! Delivery: one courier per bot takes notifications from the queue and sends them within Telegram's limits.
//!
//! From top to bottom: [`courier`] is the event loop that ties the rest to the queue. [`scheduler`] decides who is next:
//! a pure state machine that never looks at a clock. It asks [`rate_limit`] (GCRA and sliding window),
//! [`single_flight`] (each image is uploaded once, others wait for its file_id) and [`circuit_breaker`] (stops sending
//! while Telegram is down). [`attempt`] makes one request; [`classification`] says what the answer means;
//! [`next_step`] says what happens to the notification then.
//!
//! Delivery is at least once. The order of effects around one send, and what a crash in each gap leads to:
//! 1. `Ledger::begin` marks `sending`. Crash after it: the next courier finds the mark and knows that the message may
//!    have been sent; it is sent again (`at_least_once`, the interruption is recorded) or becomes `unknown`.
//! 2. The request. Crash during it: the same.
//! 3. `Ledger::settle` writes the outcome. Crash after it: the redelivered message is acked, not sent.
//! 4. `Queue::ack`.

pub mod attempt;
pub mod circuit_breaker;
pub mod classification;
pub mod context;
pub mod courier;
pub mod mono_time;
pub mod next_step;
pub mod rate_limit;
pub mod scheduler;
#[cfg(test)]
mod simulation;
pub mod single_flight;
pub mod timeouts;
mod upload_queue;

pub use context::CourierContext;
pub use courier::Courier;
