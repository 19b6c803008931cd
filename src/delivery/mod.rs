//! Delivery: one courier per bot. [`scheduler`] decides who is next and never looks at a clock; [`attempt`] makes one
//! request; [`classify`] says what an answer means; [`courier`] ties them to the queue and the ledger.
//!
//! The order of effects around one send, and what a crash in each gap leads to:
//! 1. `Ledger::begin` marks `sending`. Crash after it: the next courier finds the mark and knows that the message may
//!    have been sent; it is sent again (`at_least_once`, the interruption is recorded) or becomes `unknown`.
//! 2. The request. Crash during it: the same.
//! 3. `Ledger::settle` writes the outcome. Crash after it: the redelivered message is acked, not sent.
//! 4. `Queue::ack`.

pub mod attempt;
pub mod breaker;
pub mod budget;
pub mod classify;
pub mod clock;
pub mod courier;
pub mod retry;
pub mod scheduler;
pub mod uploads;

pub use attempt::Desk;
pub use courier::Courier;
