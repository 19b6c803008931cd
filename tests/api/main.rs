//! What the service promises, over real sockets: one module per behaviour.

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
mod intake_outside;
mod intake_refusals;
mod intake_repeats;
mod manual;
mod objects;
mod rabbitmq;
mod rabbitmq_faults;
mod redis;
mod servers;
mod settings;
mod volume;
