//! Pixcourier: image notifications to Telegram, accepted at once, kept durably, never too fast, uploaded once,
//! accounted for.
//!
//! The way of a notification, which is also the order of the modules below: the [`http`] server hands a request to one
//! of the faces ([`api`]: native, Bot API, WhatsMate), which reads it in its own dialect; [`intake`] checks it, stores
//! its files under their digests and has the engine accept it through the [`ports`]. The queue hands it to the courier of
//! its bot ([`delivery`]), which keeps Telegram's rate limits, uploads each image once, retries with exponential backoff,
//! and writes the outcome to the ledger.
//!
//! [`adapters`] hold the two engines (embedded: SQLite; distributed: RabbitMQ, Redis and an object store), the Bot API
//! client and the client of WhatsMate's gateway. [`registration`] lets people and groups into the recipient book, in which
//! intake looks up their chats. [`multipart`] reads and writes forms, for all of them. [`app`] puts everything together, [`cli`] has the subcommands, and [`sandbox`] is a Bot
//! API to try things against. [`mod@bench`] measures all of it from outside.

pub mod http;

pub mod api;

pub mod intake;

pub mod domain;
pub mod imaging;
pub mod ports;

pub mod delivery;

pub mod adapters;

pub mod app;
pub mod backoff;
pub mod bench;
pub mod callbacks;
pub mod cli;
pub mod events;
pub mod multipart;
pub mod registration;
pub mod sandbox;
pub mod settings;
pub mod telemetry;
