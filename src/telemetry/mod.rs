//! What can be seen from outside: metrics and logs.

mod metrics;

pub use metrics::Metrics;
