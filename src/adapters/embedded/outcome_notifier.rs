//! Outcomes within one process: a map of who listens.

use crate::domain::NotificationId;
use crate::ports::{Outcome, OutcomeNotifier, OutcomeWaiter};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// [`OutcomeNotifier`] of one process, and the last step of one between processes.
#[derive(Debug, Default)]
pub struct LocalOutcomeNotifier {
    callers: Mutex<Callers>,
}

#[derive(Debug, Default)]
struct Callers {
    waiting: HashMap<NotificationId, oneshot::Sender<Outcome>>,
    /// When there are so many, those that have gone are looked for.
    prune_at: usize,
}

impl LocalOutcomeNotifier {
    /// Who listens under which id; gives the address to be told at.
    pub fn listen_at(&self, id: NotificationId, address: String) -> OutcomeWaiter {
        let (sender, outcome) = oneshot::channel();
        let mut callers = self.callers();
        if callers.waiting.len() >= callers.prune_at {
            callers.waiting.retain(|_, caller| !caller.is_closed());
            callers.prune_at = (callers.waiting.len() * 2).max(1024);
        }
        callers.waiting.insert(id, sender);
        OutcomeWaiter { address, outcome }
    }

    /// Tells who listens here.
    pub fn deliver(&self, id: NotificationId, outcome: Outcome) {
        if let Some(caller) = self.callers().waiting.remove(&id) {
            // It may have gone.
            let _ = caller.send(outcome);
        }
    }

    /// Tells everybody that nothing will come any more.
    pub fn hang_up(&self) {
        self.callers().waiting.clear();
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl OutcomeNotifier for LocalOutcomeNotifier {
    fn listen(&self, id: NotificationId) -> OutcomeWaiter {
        self.listen_at(id, "here".to_owned())
    }

    async fn notify(&self, _address: &str, id: NotificationId, outcome: &Outcome) {
        self.deliver(id, outcome.clone());
    }
}
