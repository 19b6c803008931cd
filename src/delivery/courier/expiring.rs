//! Which notifications are just being recorded as expired: a second copy of one must not be taken for its next attempt.

use crate::domain::NotificationId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The notifications whose expiry is being recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiring(Arc<Mutex<HashSet<NotificationId>>>);

impl Expiring {
    /// Adds one, until the guard is dropped.
    pub fn add(&self, id: NotificationId) -> ExpiringGuard {
        self.ids().insert(id);
        ExpiringGuard { expiring: self.clone(), id }
    }

    pub fn contains(&self, id: NotificationId) -> bool {
        self.ids().contains(&id)
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<NotificationId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One whose expiry is being recorded.
pub(super) struct ExpiringGuard {
    expiring: Expiring,
    id: NotificationId,
}

impl Drop for ExpiringGuard {
    fn drop(&mut self) {
        self.expiring.ids().remove(&self.id);
    }
}
