//! A part of the sandbox's state behind a lock of its own.

use std::sync::{Mutex, MutexGuard};

/// A part of the state and its lock. Where several are held at once, they are taken in the order in which
/// `SandboxState` lists them.
#[derive(Default)]
pub struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    pub fn new(part: T) -> Self {
        Self(Mutex::new(part))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("nothing panics while it holds a lock of the sandbox")
    }
}
