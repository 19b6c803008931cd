//! What can be seen from outside: metrics and logs.

pub mod logs;
mod metrics;

pub use metrics::Metrics;
