//! Fencing tokens of attempts: the ledger keeps the token of the attempt that began last, so that a worker that lost the
//! bot meanwhile does not take the mark of its successor's attempt away.

use crate::domain::NotificationId;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens that are remembered of each kind, the newest. One that is forgotten costs no more than a false `interrupted`,
/// or a mark that an older attempt takes away.
const MAX_REMEMBERED_TOKENS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

type TokenCache = Mutex<LruCache<NotificationId, String>>;

pub(super) struct BeginTokens {
    /// Makes the tokens unique among processes.
    instance: u64,
    begins: AtomicU64,
    /// Tokens of begins whose answer was lost. When such a begin took effect after all, the next one, with the same
    /// token, gets the answer that was lost, and counts no interruption of its own: nothing was sent in between.
    unanswered: TokenCache,
    /// Tokens of the attempts of this process that are under way.
    under_way: TokenCache,
}

impl BeginTokens {
    pub(super) fn new() -> Self {
        let cache = || Mutex::new(LruCache::new(MAX_REMEMBERED_TOKENS));
        Self { instance: fastrand::u64(..), begins: AtomicU64::new(0), unanswered: cache(), under_way: cache() }
    }

    /// The token to begin with: that of an earlier begin whose answer was lost, or a fresh one.
    pub(super) fn token(&self, id: NotificationId) -> String {
        let fresh = || format!("{:x}-{}", self.instance, self.begins.fetch_add(1, Ordering::Relaxed));
        locked(&self.unanswered).peek(&id).cloned().unwrap_or_else(fresh)
    }

    /// Whether the attempt begins or not, the ledger has answered.
    pub(super) fn mark_answered(&self, id: NotificationId) {
        locked(&self.unanswered).pop(&id);
    }

    pub(super) fn mark_unanswered(&self, id: NotificationId, token: String) {
        locked(&self.unanswered).put(id, token);
    }

    pub(super) fn mark_under_way(&self, id: NotificationId, token: String) {
        locked(&self.under_way).put(id, token);
    }

    /// The token of the attempt under way, if it is known.
    pub(super) fn under_way(&self, id: NotificationId) -> Option<String> {
        locked(&self.under_way).peek(&id).cloned()
    }

    pub(super) fn forget_under_way(&self, id: NotificationId) {
        locked(&self.under_way).pop(&id);
    }
}

fn locked(tokens: &TokenCache) -> MutexGuard<'_, LruCache<NotificationId, String>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}
