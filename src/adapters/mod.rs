//! The outside world behind the ports: two engines and the Bot API client.

pub mod embedded;
pub mod objects;
pub mod rabbitmq;
pub mod redis;
pub mod telegram;
