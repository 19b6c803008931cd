//! Pixcourier: image notifications to Telegram, accepted at once, kept durably, never too fast, uploaded once,
//! accounted for.
//!
//! The way of a notification, which is also the order of the modules: a request comes in at the counter ([`intake`]),
//! is checked, its image stored by digest, and is accepted through the [`ports`]; the queue hands it to the courier of
//! its bot ([`delivery`]), which keeps Telegram's limits, uploads each image once, retries what passes, and writes the
//! outcome to the ledger. Beside it, [`registration`] lets people and groups into the recipient book by which the
//! counter finds their chats. [`adapters`] hold the two engines (embedded: SQLite; distributed: RabbitMQ, Redis and an
//! object store), the Bot API client and that of WhatsMate's gateway; [`app`] puts them together; [`sandbox`] is a Bot
//! API to try things against.

pub mod backoff;
pub mod domain;
pub mod imaging;
pub mod ports;
pub mod settings;
pub mod telemetry;

pub mod adapters;
pub mod delivery;
pub mod intake;
pub mod registration;
pub mod sandbox;

pub mod app;
pub mod cli;
