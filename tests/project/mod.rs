//! The project itself: its documents, its settings, its program, compared with what the code does.

mod bench;
mod harness;
mod logs;
pub mod manual;
mod program;
mod progress;
mod reload;
mod settings;
mod structure;
