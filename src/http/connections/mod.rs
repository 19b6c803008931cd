//! The connections of callers: how many there may be, and which of them is closed first when there are too many.

mod connection;
mod descriptors;
mod register;
mod stream;

pub use connection::{Connection, InUse};
pub use descriptors::connection_limit;
pub use register::Connections;
pub use stream::WatchedStream;
