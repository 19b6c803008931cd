//! The outside world behind the ports: two engines, the Bot API client, and WhatsMate's gateway.

pub mod embedded;
mod http;
pub mod objects;
mod outcome_waiters;
pub mod rabbitmq;
pub mod redis;
pub mod router;
pub mod telegram;
pub mod whatsmate;
