//! How much is on its way back to the queue. Each costs the memory of a notification until it is there, so there is an end to
//! how much goes at a time, and to how much waits for that: then nothing new is taken from the queue.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// What may be put back at a time, in KiB.
const AT_ONCE_KIB: usize = 4 * 1024;
/// The least that one counts, in KiB: no more than 64 at a time, however small.
const LEAST_KIB: usize = AT_ONCE_KIB / 64;
/// Above this, in bytes, nothing new is taken from the queue.
const FULL_BYTES: usize = 8 * 1024 * 1024;

pub(super) struct Deferring {
    at_once: Arc<Semaphore>,
    bytes: watch::Sender<usize>,
}

/// One that goes back; dropped when it is there.
pub(super) struct GoingBack {
    at_once: Arc<Semaphore>,
    all: watch::Sender<usize>,
    bytes: usize,
}

impl Deferring {
    pub fn new() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE_KIB)), bytes: watch::Sender::new(0) }
    }

    /// Counts one that takes so much memory, in bytes.
    pub fn begin(&self, bytes: usize) -> GoingBack {
        self.bytes.send_modify(|all| *all += bytes);
        GoingBack { at_once: self.at_once.clone(), all: self.bytes.clone(), bytes }
    }

    pub fn is_full(&self) -> bool {
        *self.bytes.borrow() > FULL_BYTES
    }

    /// Completes when it is full no more.
    pub async fn room(&self) {
        // Never closed.
        let _ = self.bytes.subscribe().wait_for(|bytes| *bytes <= FULL_BYTES).await;
    }
}

impl GoingBack {
    /// Waits for its turn, which lasts until what this returns is dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let kib = (self.bytes / 1024).clamp(LEAST_KIB, AT_ONCE_KIB);
        // Never closed.
        self.at_once.clone().acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX)).await.ok()
    }
}

impl Drop for GoingBack {
    fn drop(&mut self) {
        self.all.send_modify(|all| *all -= self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn large_ones_go_back_one_after_the_other_and_nothing_new_comes_meanwhile() {
        let deferring = Deferring::new();
        let large: Vec<_> = (0..4).map(|_| deferring.begin(3 * 1024 * 1024)).collect();
        let turn = large[0].turn().now_or_never().flatten().expect("the first goes at once");
        assert!(large[1].turn().now_or_never().is_none());
        assert!(deferring.is_full() && deferring.room().now_or_never().is_none());
        drop(turn);
        assert!(large[1].turn().now_or_never().is_some());
        drop(large);
        assert!(!deferring.is_full() && deferring.room().now_or_never().is_some());
    }

    #[test]
    fn sixty_four_small_ones_go_back_at_a_time() {
        let deferring = Deferring::new();
        let small: Vec<_> = (0..65).map(|_| deferring.begin(500)).collect();
        let turns: Vec<_> = small.iter().filter_map(|one| one.turn().now_or_never().flatten()).collect();
        assert_eq!(turns.len(), 64);
        assert!(!deferring.is_full());
    }
}
