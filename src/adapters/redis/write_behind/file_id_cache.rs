//! File_ids for the time without Redis: an LRU cache.

use crate::ports::FileKey;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

const MAX_CACHED_FILE_IDS: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

/// At most [`MAX_CACHED_FILE_IDS`]; the least recently used goes first.
pub(super) struct FileIdCache(Mutex<LruCache<FileKey, String>>);

impl Default for FileIdCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_CACHED_FILE_IDS)))
    }
}

impl FileIdCache {
    pub(super) fn get(&self, key: &FileKey) -> Option<String> {
        self.entries().get(key).cloned()
    }

    /// Sets what is known of a key: its file_id, or that it has none.
    pub(super) fn set(&self, key: FileKey, file_id: Option<String>) {
        let mut entries = self.entries();
        match file_id {
            Some(file_id) => entries.put(key, file_id),
            None => entries.pop(&key),
        };
    }

    /// Removes a file_id, unless the key has another by now.
    pub(super) fn remove(&self, key: &FileKey, file_id: &str) {
        let mut entries = self.entries();
        if entries.peek(key).is_some_and(|known| known == file_id) {
            entries.pop(key);
        }
    }

    fn entries(&self) -> MutexGuard<'_, LruCache<FileKey, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MediaKind, Sha256};

    #[test]
    fn file_ids_that_are_used_outlive_those_that_are_not() {
        let key = |bot_id| FileKey { bot_id, kind: MediaKind::Photo, sha256: Sha256::of(b"x") };
        let cache = FileIdCache::default();
        cache.set(key(0), Some("used".into()));
        cache.set(key(1), Some("unused".into()));
        for bot_id in 2..2 * MAX_CACHED_FILE_IDS.get() as u64 {
            cache.set(key(bot_id), Some("another".into()));
            assert_eq!(cache.get(&key(0)).as_deref(), Some("used"));
        }
        assert_eq!(cache.get(&key(1)), None);
        assert_eq!(cache.entries().len(), MAX_CACHED_FILE_IDS.get());
    }

    #[test]
    fn only_the_file_id_that_was_refused_is_removed() {
        let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(b"x") };
        let cache = FileIdCache::default();
        cache.set(key, Some("newer".into()));
        cache.remove(&key, "older");
        assert_eq!(cache.get(&key).as_deref(), Some("newer"));
        cache.remove(&key, "newer");
        assert_eq!(cache.get(&key), None);
    }
}
