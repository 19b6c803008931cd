//! Tells whoever listens how notifications end, while they do. The events come from the [`EventLog`](crate::ports::EventLog) port,
//! where they were put when the notifications ended, by whichever process; so a listener that has been away goes on where it
//! stopped, at any process.
//!
//! However many listen to a process, it reads the log once for all of them ([`EventFeed`]). Who is behind reads for itself, two at
//! a time, until it has caught up; nothing waits for anybody.

mod feed;
mod listeners;
mod recent;

pub use feed::EventFeed;
pub use listeners::Listener;
pub use recent::{Event, Look};
