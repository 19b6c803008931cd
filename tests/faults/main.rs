//! What the service promises when things break: the real program, driven as a process over real sockets, with real
//! brokers, killed, frozen, starved and flooded. Run as
//! `tests/with-brokers cargo test --test faults -- --test-threads=1 --nocapture`: every test prints its figures in one
//! line. One at a time, because memory and deadlines are measured; in the order of their names, so that [`secrets`]
//! comes last and sees what all the others left behind.
//!
//! Three ledgers are compared by [`reconcile`]: what clients were told (202), what the service says of each, and what the
//! Bot API sandbox accepted.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, also outside of test functions"
)]

#[path = "../support/mod.rs"]
mod support;

mod artifacts;
mod images;
mod load;
mod process;
mod reconcile;
mod sandbox;
mod service;

use support::wait;

mod attacks;
mod backups;
mod brokers;
mod callbacks;
mod cluster;
mod demo;
mod disk;
mod events;
mod floods;
mod incidents;
mod kills;
mod owners;
mod pauses;
mod pressure;
mod redis;
mod restarts;
mod secrets;
mod spread;
