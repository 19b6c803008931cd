//! What the service promises, over real sockets: one module per behaviour.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod world;

mod acceptor;
mod bot_api;
mod bot_api_pass;
mod bot_api_patience;
mod clients;
mod contract;
mod delivery;
mod differential;
mod embedded;
mod intake_bodies;
mod intake_counter;
mod intake_life;
mod intake_memory;
mod intake_outside;
mod intake_refusals;
mod intake_repeats;
mod manual;
mod native_changes;
mod native_images;
mod native_sends;
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
mod sources;
mod volume;
mod whatsmate;
mod whatsmate_gateway;
