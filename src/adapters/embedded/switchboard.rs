//! Outcomes within one process: a map of who listens.

use crate::domain::NotificationId;
use crate::ports::{Listening, Outcome, Switchboard};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// [`Switchboard`] of one process, and the last step of one between processes.
#[derive(Debug, Default)]
pub struct LocalSwitchboard {
    callers: Mutex<Callers>,
}

#[derive(Debug, Default)]
struct Callers {
    waiting: HashMap<NotificationId, oneshot::Sender<Outcome>>,
    /// When there are so many, those that have gone are looked for.
    prune_at: usize,
}

impl LocalSwitchboard {
    /// Who listens under which id; gives the address to be told at.
    pub fn listen_at(&self, id: NotificationId, address: String) -> Listening {
        let (sender, outcome) = oneshot::channel();
        let mut callers = self.callers();
        if callers.waiting.len() >= callers.prune_at {
            callers.waiting.retain(|_, caller| !caller.is_closed());
            callers.prune_at = (callers.waiting.len() * 2).max(1024);
        }
        callers.waiting.insert(id, sender);
        Listening { address, outcome }
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
impl Switchboard for LocalSwitchboard {
    fn listen(&self, id: NotificationId) -> Listening {
        self.listen_at(id, "here".to_owned())
    }

    async fn tell(&self, _address: &str, id: NotificationId, outcome: &Outcome) {
        self.deliver(id, outcome.clone());
    }
}
