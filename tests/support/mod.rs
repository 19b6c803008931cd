//! What the tests share: services under test ([`test_app`], [`api_app`]) and real servers. The fault tests take it in with
//! `#[path = "../support/mod.rs"] mod support;`.
//!
//! Ordinary tests share one RabbitMQ and one Redis ([`amqp_url`], [`redis_url`]) and keep apart by names of their own;
//! tests that break a server launch one for themselves ([`Rabbit`], [`Redis`]).
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

pub mod answer;
pub mod api_app;
pub mod event_reader;
pub mod forms;
pub mod images;
mod installed;
pub mod named_client;
pub mod old_broker;
pub mod program;
pub mod prometheus;
mod proxy;
mod rabbit;
pub mod receiver;
mod redis;
pub mod running_app;
mod server;
pub mod settings;
#[macro_use]
pub mod test_app;
pub mod wait;

pub use proxy::Proxy;
pub use rabbit::Rabbit;
pub use redis::Redis;
pub use server::free_port;

/// The RabbitMQ that all tests share. Panics if none was given: a test that cannot run has failed.
pub fn amqp_url() -> String {
    shared("PIXCOURIER_TEST_AMQP_URL")
}

/// The Redis that all tests share. Panics if none was given.
pub fn redis_url() -> String {
    shared("PIXCOURIER_TEST_REDIS_URL")
}

/// The port that a URL names.
pub fn port_of(url: &str) -> u16 {
    let address = url.rsplit('@').next().unwrap_or_default().trim_start_matches("redis://");
    let port = address.split('/').next().and_then(|host| host.rsplit(':').next());
    port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{url} names no port"))
}

fn shared(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests by `make test`, or one of them by `tests/with-brokers cargo test NAME`")
    })
}
