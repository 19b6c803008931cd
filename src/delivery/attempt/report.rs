//! What an attempt reports to its courier.

use crate::delivery::classification::UpstreamHealth;
use crate::delivery::next_step::NextStep;
use crate::ports::FileIds;

/// How an attempt ended, for the courier.
#[derive(Debug)]
pub struct AttemptReport {
    /// What happens to the notification.
    pub next: NextStep,
    /// The file_ids that are good now for the notification's images.
    pub file_ids: FileIds,
    /// The remembered file_ids of which one was refused: which one, Telegram does not say.
    pub refused: FileIds,
    /// What it says about Telegram as a whole.
    pub upstream_health: UpstreamHealth,
    /// Whether a request has left, so that Telegram may have counted it.
    pub has_left: bool,
}

impl AttemptReport {
    /// Of an attempt that did not get as far as asking Telegram.
    pub(super) fn unasked(next: NextStep) -> Self {
        Self { has_left: false, ..Self::answered(next, UpstreamHealth::Unknown) }
    }

    /// Of an attempt that asked Telegram; file_ids are to be filled in.
    pub(super) fn answered(next: NextStep, upstream_health: UpstreamHealth) -> Self {
        Self { next, file_ids: FileIds::new(), refused: FileIds::new(), upstream_health, has_left: true }
    }
}
