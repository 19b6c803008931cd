//! The courier of one bot, a consumer of its queue. `event_loop.rs` takes deliveries while this process owns the bot,
//! lets the scheduler say who is next and starts attempts; `receive.rs` takes deliveries in, `attempt_ended.rs` acts on
//! the reports of attempts, `give_back.rs` expires notifications and returns to the queue what must wait for long, `hand_over.rs`
//! gives the bot to another process; `pausing.rs` follows what is paused; `backlog.rs` shows what waits.

mod attempt_ended;
mod backlog;
mod deferring;
mod event_loop;
mod expiring;
mod give_back;
mod hand_over;
mod part_watch;
mod pausing;
mod promised_turns;
mod receive;
mod send_job;
mod state;

pub use state::Courier;
