//! Faults on demand: rules that say which calls meet which fault, and the queue of those that wait.

mod queue;
mod rules;

pub use queue::{FaultQueue, FaultStage};
pub use rules::{FaultMatch, FaultRule, InjectedFault};
