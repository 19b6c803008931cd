//! Which nodes answer publishes. A queue whose leader is on a frozen node stays silent on every node for a while, so a node is
//! left only if another answers meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// After so many publishes that were not confirmed in time, and none between them that was.
const MAX_SILENT_PUBLISHES: u32 = 2;

/// After so long, a node that did not answer is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct ConfirmWatch {
    state: Mutex<ConfirmState>,
    left: CancellationToken,
}

#[derive(Default)]
struct ConfirmState {
    last_answer: Option<Instant>,
    /// When the last one was not answered.
    last_silence: Option<Instant>,
    silent_publishes: u32,
}

impl ConfirmWatch {
    /// A publish was answered.
    pub(super) fn answered(&self, now: Instant) {
        *self.state() = ConfirmState { last_answer: Some(now), ..ConfirmState::default() };
    }

    /// A publish that was begun at this time was not answered. If others were since, it is its queue that is silent, and
    /// not the node.
    pub(super) fn timed_out(&self, begun: Instant, now: Instant) {
        let mut state = self.state();
        if state.last_answer.is_none_or(|at| at < begun) {
            state.silent_publishes += 1;
            state.last_silence = Some(now);
        }
    }

    /// Whether a publish had better take another session.
    pub(super) fn is_doubtful(&self, now: Instant) -> bool {
        self.state().last_silence.is_some_and(|at| now.duration_since(at) < RETRY_AFTER)
    }

    /// When a publish was answered last.
    pub(super) fn last_answer(&self) -> Option<Instant> {
        self.state().last_answer
    }

    /// Whether nothing was answered for so long that the node is to be left, since `other` is answered.
    pub(super) fn is_outdone_by(&self, other: &ConfirmWatch) -> bool {
        let (silent, last_answer) = {
            let state = self.state();
            (state.silent_publishes, state.last_answer)
        };
        let other = other.state();
        silent >= MAX_SILENT_PUBLISHES && other.silent_publishes == 0 && other.last_answer > last_answer
    }

    /// Has the session end.
    pub(super) fn leave(&self) {
        self.left.cancel();
    }

    /// Waits for [`ConfirmWatch::leave`].
    pub(super) async fn wait_until_left(&self) {
        self.left.cancelled().await;
    }

    fn state(&self) -> MutexGuard<'_, ConfirmState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_left_after_two_silent_publishes_if_another_answers() {
        let (this, other, start) = (ConfirmWatch::default(), ConfirmWatch::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        this.answered(at(1));
        this.timed_out(at(0), at(1));
        assert!(!this.is_doubtful(at(1)), "others were answered meanwhile");
        this.timed_out(at(2), at(3));
        this.timed_out(at(2), at(3));
        assert!(this.is_doubtful(at(3)) && !this.is_outdone_by(&other), "the other does no better");
        other.answered(at(4));
        assert!(this.is_outdone_by(&other) && !other.is_outdone_by(&this));
        assert!(!this.is_doubtful(at(14)), "it is tried again");
        this.answered(at(14));
        assert!(!this.is_outdone_by(&other));
    }
}
