//! What the service promises, over real sockets: one module per behaviour.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod world;

mod acceptor;
mod contract;
mod delivery;
mod embedded;
mod intake_bodies;
mod intake_counter;
mod intake_life;
mod intake_memory;
mod intake_outside;
mod intake_refusals;
mod intake_repeats;
mod manual;
mod objects;
mod program;
mod rabbitmq;
mod rabbitmq_faults;
mod recipients;
mod redis;
mod registration;
mod sandbox;
mod servers;
mod settings;
mod volume;
mod whatsmate;
mod whatsmate_gateway;
