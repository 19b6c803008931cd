//! The WhatsMate face: clients of WhatsMate's Telegram gateway work here with nothing but the host changed.
//!
//! WhatsMate's public API document is the contract; where it leaves something open (which MB, numbers as JSON numbers,
//! fields that it does not name), this face is lenient. Every rejection is `{"error_message": "..."}` with 400, except 401
//! without valid credentials, 404 and 405 for addresses, and 500 and 503 for errors on our side.

mod clients;
mod error;
mod message;
pub mod routes;

pub use clients::WhatsMateClients;
