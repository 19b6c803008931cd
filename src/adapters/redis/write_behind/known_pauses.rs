//! What is paused, as far as this process knows: it looks every second whether that has changed, while Redis is there. While Redis
//! is away, nothing begins that was paused when it was read last.

use super::buffer::WriteBehindBuffer;
use super::pause_copy::PauseCopy;
use crate::domain::PauseList;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How often to look.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct KnownPauses {
    list: watch::Sender<Arc<PauseList>>,
    /// This process has changed something.
    changed: Notify,
    copy: Option<PauseCopy>,
}

impl KnownPauses {
    /// Until Redis is read, what the copy says.
    pub(super) fn new(copy: Option<PauseCopy>) -> Self {
        let list = copy.as_ref().map(PauseCopy::read).unwrap_or_default();
        Self { list: watch::Sender::new(Arc::new(list)), changed: Notify::new(), copy }
    }

    pub(super) fn list(&self) -> Arc<PauseList> {
        self.list.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<PauseList>> {
        self.list.subscribe()
    }

    /// Has it looked at now.
    pub(super) fn look(&self) {
        self.changed.notify_one();
    }
}

/// Follows the pauses; never ends.
pub(super) async fn follow_pauses(buffer: Arc<WriteBehindBuffer>, known: Arc<KnownPauses>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    let mut read = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = known.changed.notified() => {}
        }
        let Ok(changes) = buffer.ask(buffer.redis.count_pause_changes()).await else { continue };
        if read == Some(changes) {
            continue;
        }
        // Read after the count: what changes in between is read again.
        if let Ok(list) = buffer.ask(buffer.redis.pauses()).await {
            read = Some(changes);
            if *known.list() == list {
                continue;
            }
            let list = Arc::new(list);
            known.list.send_replace(list.clone());
            if let Some(copy) = known.copy.clone() {
                // It warns of what goes wrong.
                let _ = tokio::task::spawn_blocking(move || copy.write(&list)).await;
            }
        }
    }
}
