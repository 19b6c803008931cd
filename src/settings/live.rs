//! Values that a reload of the configuration replaces.

use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// A value that a reload replaces. Whoever uses it takes it anew each time; clones of the cell share it.
pub struct Live<T>(watch::Sender<Arc<T>>);

impl<T> Live<T> {
    /// A cell with its first value.
    pub fn new(value: T) -> Self {
        Self(watch::Sender::new(Arc::new(value)))
    }

    /// The value now.
    pub fn get(&self) -> Arc<T> {
        self.0.borrow().clone()
    }

    /// Puts another in its place.
    pub fn replace(&self, value: T) {
        self.0.send_replace(Arc::new(value));
    }

    /// Tells of each replacement.
    pub fn changes(&self) -> watch::Receiver<Arc<T>> {
        self.0.subscribe()
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Never what it holds, which may be a secret.
impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live(..)")
    }
}
