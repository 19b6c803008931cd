//! Whether a node confirms anything at all: one that takes publishes and confirms none is left for another.

use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After so many publishes that were not confirmed in time, and none between them that was.
const MAX_SILENT_PUBLISHES: u32 = 2;

#[derive(Default)]
pub(super) struct ConfirmWatch {
    state: Mutex<ConfirmState>,
    silent: CancellationToken,
}

#[derive(Default)]
struct ConfirmState {
    last_answer: Option<Instant>,
    silent_publishes: u32,
}

impl ConfirmWatch {
    /// A publish was answered.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = ConfirmState { last_answer: Some(Instant::now()), silent_publishes: 0 };
    }

    /// A publish that was begun at this time was not answered. If others were since, it is its queue that is silent, and
    /// not the node.
    pub(super) fn timed_out(&self, begun: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last_answer.is_some_and(|at| at >= begun) {
            return;
        }
        state.silent_publishes += 1;
        if state.silent_publishes >= MAX_SILENT_PUBLISHES {
            self.silent.cancel();
        }
    }

    /// Waits until the node has confirmed nothing for too long.
    pub(super) async fn wait_until_silent(&self) {
        self.silent.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_node_is_silent_after_two_publishes_with_no_answer_between() {
        let (watch, begun) = (ConfirmWatch::default(), Instant::now());
        advance(Duration::from_secs(1)).await;
        watch.answered();
        watch.timed_out(begun);
        watch.timed_out(begun);
        assert!(!watch.silent.is_cancelled(), "others were answered meanwhile");
        advance(Duration::from_secs(1)).await;
        let begun = Instant::now();
        watch.timed_out(begun);
        assert!(!watch.silent.is_cancelled(), "one is a queue");
        watch.timed_out(begun);
        watch.wait_until_silent().await;
    }
}
