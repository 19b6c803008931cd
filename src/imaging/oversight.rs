//! Whoever has an image read may end that while it goes on, or make it wait.

use super::rejection::{ImageRejection, Stop};
use std::sync::Arc;

/// Asked by whoever reads an image, every few thousand steps of the work and before each piece of the file.
pub type Checkpoint = dyn Fn() -> Result<(), Stop> + Send + Sync;

/// What the reading of an image may take.
#[derive(Clone)]
pub struct Oversight {
    checkpoint: Option<Arc<Checkpoint>>,
    memory: usize,
}

impl Oversight {
    /// It may take the time and the memory that it takes.
    pub fn none() -> Self {
        Self { checkpoint: None, memory: usize::MAX }
    }

    /// It asks whether to go on, and takes no more than a mebibyte beyond so many bytes of memory: what needs more is rejected
    /// as [`ImageRejection::NeedsMemory`].
    pub fn new(checkpoint: Arc<Checkpoint>, memory: usize) -> Self {
        Self { checkpoint: Some(checkpoint), memory }
    }

    /// How much memory it may take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memory
    }

    /// Asks whether to go on; may wait for long.
    pub fn go_on(&self) -> Result<(), ImageRejection> {
        match &self.checkpoint {
            Some(checkpoint) => checkpoint().map_err(ImageRejection::Stopped),
            None => Ok(()),
        }
    }
}
