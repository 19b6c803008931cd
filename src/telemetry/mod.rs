//! What can be seen from outside: metrics and logs.

mod json_lines;
pub mod logs;
mod metrics;

pub use metrics::Metrics;
