//! What this process has settled lately. The end of a notification may be lost in a failover of Redis after its message has
//! gone from the queue; those behind it in its chat must not wait for it then.

use crate::domain::{Notification, NotificationId, Timestamp};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The newest that are remembered: more than are settled in the seconds that a failover may lose.
const MAX_REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

pub(super) struct RecentlySettled {
    /// When they were accepted: one that was accepted again since is another matter.
    accepted: Mutex<LruCache<NotificationId, Timestamp>>,
}

impl RecentlySettled {
    pub(super) fn new() -> Self {
        Self { accepted: Mutex::new(LruCache::new(MAX_REMEMBERED)) }
    }

    pub(super) fn put(&self, notification: &Notification) {
        self.locked().put(notification.id, notification.accepted_at);
    }

    /// When it was accepted, if it has been settled for good here.
    pub(super) fn accepted_at(&self, id: NotificationId) -> Option<Timestamp> {
        self.locked().peek(&id).copied()
    }

    fn locked(&self) -> MutexGuard<'_, LruCache<NotificationId, Timestamp>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
