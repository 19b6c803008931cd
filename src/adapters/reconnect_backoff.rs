//! Exponential backoff with jitter between attempts to reach a server again: after an outage all clients come back at
//! once.

use std::time::Duration;

/// Pauses that double up to [`MAX_PAUSE`], each shortened at random by up to a half.
pub(super) struct ReconnectBackoff(Duration);

const MAX_PAUSE: Duration = Duration::from_secs(1);

impl ReconnectBackoff {
    /// Starts anew with the given pause.
    pub(super) fn starting_at(first: Duration) -> Self {
        Self(first)
    }

    /// Sleeps for the next pause.
    pub(super) async fn pause(&mut self) {
        let pause = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(MAX_PAUSE);
        tokio::time::sleep(pause).await;
    }
}

impl Default for ReconnectBackoff {
    fn default() -> Self {
        Self::starting_at(Duration::from_millis(100))
    }
}
