//! Outcomes within one process: whoever waits is in the same registry that the courier tells.

use crate::adapters::outcome_waiters::OutcomeWaiters;
use crate::domain::NotificationId;
use crate::ports::{Outcome, OutcomeNotifier, OutcomeWaiter};
use async_trait::async_trait;

/// [`OutcomeNotifier`] of one process.
#[derive(Debug, Default)]
pub struct EmbeddedOutcomeNotifier {
    waiters: OutcomeWaiters,
}

#[async_trait]
impl OutcomeNotifier for EmbeddedOutcomeNotifier {
    fn listen(&self, id: NotificationId) -> OutcomeWaiter {
        // There is only one place to be told at.
        self.waiters.register(id, "here".to_owned())
    }

    async fn notify(&self, _address: &str, id: NotificationId, outcome: &Outcome) {
        self.waiters.notify(id, outcome.clone());
    }
}
