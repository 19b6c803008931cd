//! The project itself: its documents, its settings, its program, compared with what the code does.

mod harness;
pub mod manual;
mod program;
mod settings;
mod structure;
