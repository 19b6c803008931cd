//! What has been cancelled, as far as this process knows: it reads the list of cancels every second while Redis is there, long
//! before the grace period lets an attempt begin without Redis. It is asked before Redis is, which may have lost a cancel.

use super::buffer::WriteBehindBuffer;
use crate::adapters::redis::cancels::Cancel;
use crate::domain::{Notification, NotificationId, Timestamp};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The newest that are remembered.
const MAX_REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
/// How often the list is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// So much of the list is read again each time, in milliseconds: the clock of a new primary may be behind.
const OVERLAP_MILLIS: i64 = 5_000;

pub(super) struct KnownCancels {
    state: Mutex<State>,
}

struct State {
    accepted: LruCache<NotificationId, Timestamp>,
    /// Up to where the list is read; `None` if it never was.
    read_until: Option<i64>,
}

impl KnownCancels {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { accepted: LruCache::new(MAX_REMEMBERED), read_until: None }) }
    }

    /// Whether this copy of a notification was cancelled.
    pub(super) fn forbid(&self, notification: &Notification) -> bool {
        let state = self.state();
        state.accepted.peek(&notification.id).is_some_and(|accepted_at| notification.accepted_at <= *accepted_at)
    }

    /// Whether the list was ever read. If not, a notification that has waited for its time may be cancelled unseen.
    pub(super) fn were_read(&self) -> bool {
        self.state().read_until.is_some()
    }

    pub(super) fn put(&self, (id, accepted_at): Cancel) {
        self.state().accepted.put(id, accepted_at);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the list; never ends.
pub(super) async fn follow_cancels(buffer: Arc<WriteBehindBuffer>, known: Arc<KnownCancels>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    loop {
        ticks.tick().await;
        let since = known.state().read_until.map_or(0, |until| until - OVERLAP_MILLIS);
        if let Ok((cancels, last)) = buffer.ask(buffer.redis.cancels_since(since)).await {
            let mut state = known.state();
            for (id, accepted_at) in cancels {
                state.accepted.put(id, accepted_at);
            }
            state.read_until = Some(last);
        }
    }
}
