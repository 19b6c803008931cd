//! Memory for the documents of requests. Read into values a JSON text takes up to some thirty times its size, so there is an
//! end to how much of it is read at a time; what is too much waits as text.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A document up to this size is small: those of nearly all requests are. Small ones never wait for large ones.
const SMALL_BYTES: usize = 4 * 1024;
/// How much of small documents, and of large ones, is read at a time.
const SMALL_TOTAL_BYTES: usize = 2 * 1024 * 1024;
const LARGE_TOTAL_BYTES: usize = 512 * 1024;

/// See the module.
pub struct DocumentMemory {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl DocumentMemory {
    /// All of it free.
    pub fn new() -> Self {
        Self { small: Arc::new(Semaphore::new(SMALL_TOTAL_BYTES)), large: Arc::new(Semaphore::new(LARGE_TOTAL_BYTES)) }
    }

    /// Waits until a document of so many bytes may be read; hold what this returns until nothing is left of it.
    pub async fn room_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let (part, total) =
            if bytes <= SMALL_BYTES { (&self.small, SMALL_TOTAL_BYTES) } else { (&self.large, LARGE_TOTAL_BYTES) };
        let permits = u32::try_from(bytes.min(total)).unwrap_or(u32::MAX);
        // Never closed, so there always is one in the end.
        part.clone().acquire_many_owned(permits).await.ok()
    }
}

impl Default for DocumentMemory {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn large_documents_wait_for_each_other_and_small_ones_do_not_wait_for_them() {
        let memory = DocumentMemory::new();
        let first =
            memory.room_for(10 * LARGE_TOTAL_BYTES).now_or_never().expect("there is room for one, however large");
        assert!(memory.room_for(SMALL_BYTES + 1).now_or_never().is_none());
        assert!(memory.room_for(SMALL_BYTES).now_or_never().is_some());
        drop(first);
        assert!(memory.room_for(SMALL_BYTES + 1).now_or_never().is_some());
    }
}
