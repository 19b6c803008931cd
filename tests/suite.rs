//! What the service promises, over real sockets: one folder per part of it, named as the source's.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a panic is how a test fails")]

#[macro_use]
mod support;

mod bot_api;
mod delivery;
mod engines;
mod native;
mod project;
mod recipes;
mod sandbox;
mod telemetry;
mod whatsmate;
