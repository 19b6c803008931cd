//! What the service promises, over real sockets: one module per behaviour.

#[path = "../support/mod.rs"]
mod support;

mod contract;
mod rabbitmq;
mod rabbitmq_faults;
mod servers;
