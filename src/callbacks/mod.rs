//! Tells receivers how notifications have ended, by the rules of Standard Webhooks: a signed POST, tried again for a day.
//!
//! What is to be told comes from the [`Callbacks`](crate::ports::Callbacks) port, where it was put when the notification ended; no
//! delivery waits for it. Whoever may post may name a receiver, so a receiver is not trusted: it may hang, answer nonsense, and
//! its name may lead to what only this machine can reach.

pub mod payload;
mod public_resolver;
mod receiver_client;
mod schedule;
mod sender;
mod signature;
mod try_error;
mod try_result;

pub use sender::CallbackSender;
