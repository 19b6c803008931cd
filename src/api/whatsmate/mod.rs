//! The WhatsMate face: clients of WhatsMate's Telegram gateway work here with nothing but the host changed.
//!
//! Its public API document is the contract, and where that leaves something open (which MB, numbers as JSON numbers,
//! fields that it does not name) what comes is taken. Every rejection is `{"error_message": "..."}` with 400, but for 401
//! without valid credentials, and 500 and 503 when the fault is ours.

mod clients;
mod error;
mod message;
pub mod routes;

pub use clients::WhatsMateClients;
