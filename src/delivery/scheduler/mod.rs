//! Who is next: a pure state machine that is told the time.
//!
//! Every notification waits in the FIFO of its chat (one per lane, ordered by id); only heads compete. A chat is in one
//! place at a time: idle, ready in the lane of its head, waiting for a moment, waiting for an upload, or in flight. A
//! chat that must wait never holds back another, nor does one that is paused. Over all chats of the bot there are a rate limit and a circuit breaker.

mod chat_lane;
mod chat_queue;
mod chat_table;
mod deferred;
mod inherit;
mod job;
mod lane_load;
mod pausing;
mod ready_lane;
mod schedule;
#[cfg(test)]
mod tests;

pub use chat_queue::DeferredJob;
pub use job::{MAX_HOLD, Place, SendJob};
pub use schedule::{Dispatch, EnqueueResult, NextSend, Scheduler};
