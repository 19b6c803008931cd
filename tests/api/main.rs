//! What the service promises, over real sockets: one module per behaviour.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, also in its helpers")]

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod embedded;
mod intake_bodies;
mod intake_counter;
mod intake_life;
mod intake_outside;
mod intake_refusals;
mod intake_repeats;
mod servers;
