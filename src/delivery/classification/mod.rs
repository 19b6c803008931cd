//! Classification: what an answer of Telegram means. [`classify()`] gives each answer, and each missing one, exactly one
//! [`Verdict`]; everything else that delivery wants to know follows from the verdict by its methods.

mod classify;
mod descriptions;
mod verdict;

pub use classify::classify;
pub use verdict::{Classification, UpstreamHealth, Verdict};
