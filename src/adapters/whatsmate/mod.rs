//! WhatsMate's Telegram gateway as a messenger: the calls that have a counterpart there (`request`), and its responses
//! in the Bot API's terms, which is what couriers understand (`response`).

mod base64_stream;
mod messenger;
mod request;
mod response;

pub use messenger::WhatsMateMessenger;
