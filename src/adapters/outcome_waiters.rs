//! The callers of this process that wait for the outcome of a notification. The outcome notifiers of both engines end
//! here: the embedded one is nothing else, that of RabbitMQ brings outcomes from other processes.

use crate::domain::NotificationId;
use crate::ports::{Outcome, OutcomeWaiter};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The least number of waiters at which those that have gone are looked for.
const MIN_PRUNE_SIZE: usize = 1024;

/// Who waits for which notification.
#[derive(Debug, Default)]
pub struct OutcomeWaiters {
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    waiting: HashMap<NotificationId, oneshot::Sender<Outcome>>,
    /// At this size those that have gone are removed.
    prune_at: usize,
}

impl OutcomeWaiters {
    /// Registers a caller, who is told about `id` at `address`.
    pub fn register(&self, id: NotificationId, address: String) -> OutcomeWaiter {
        let (sender, outcome) = oneshot::channel();
        let mut registry = self.registry();
        if registry.waiting.len() >= registry.prune_at {
            registry.waiting.retain(|_, waiter| !waiter.is_closed());
            registry.prune_at = (registry.waiting.len() * 2).max(MIN_PRUNE_SIZE);
        }
        registry.waiting.insert(id, sender);
        OutcomeWaiter { address, outcome }
    }

    /// Hands an outcome to the caller who waits for it, if there is one.
    pub fn notify(&self, id: NotificationId, outcome: Outcome) {
        if let Some(waiter) = self.registry().waiting.remove(&id) {
            // It may have gone.
            let _ = waiter.send(outcome);
        }
    }

    /// Tells every caller that no outcome will come any more.
    pub fn close_all(&self) {
        self.registry().waiting.clear();
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
