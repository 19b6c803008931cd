//! Single flight: each image is uploaded once. The first send that needs it uploads it, the others wait for the answer
//! and send the file_id. Also keeps uploads within the Bot API server's limits. Pure: it is told the time.

use super::mono_time::MonoTime;
use super::upload_queue::UploadQueue;
use crate::domain::{ChatId, Lane};
use crate::ports::{FileIds, FileKey};
use lru::LruCache;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

/// How many file_ids a courier remembers beside the media index.
const MAX_REMEMBERED_FILE_IDS: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// Uploads under way at a time: the server refuses above 100 (Bot API server); we stay far below.
const MAX_CONCURRENT_UPLOADS: usize = 16;
/// Uploads up to this size in bytes are not paced (Bot API server).
const UNPACED_LIMIT_BYTES: u64 = 100_000;
/// The server lets this much of the pacing run ahead before it holds calls (Bot API server).
const PACING_ALLOWANCE: Duration = Duration::from_secs(1);

/// The uploads of one bot: which file_ids are known, what is being uploaded, and which chats wait for that.
#[derive(Debug)]
pub struct SingleFlight {
    file_ids: LruCache<FileKey, String>,
    /// The images being uploaded, each with the chats that wait for its file_id.
    in_flight: HashMap<FileKey, Vec<ChatId>>,
    /// The chats that wait until there is room for an upload.
    queue: UploadQueue,
    /// By size: when the uploads of that size are paid off.
    paced: HashMap<u64, MonoTime>,
}

/// Whether a call with certain images can be sent now.
#[derive(Debug, PartialEq, Eq)]
pub enum UploadAdmission {
    /// Yes: these by the file_ids that are known, the others by looking them up in the media index and, if they are not
    /// there, uploading them.
    Proceed(FileIds),
    /// This one is being uploaded: wait for the answer.
    InFlight(FileKey),
    /// Too many uploads are under way for one more, of this image.
    AtCapacity(FileKey),
    /// Uploads of the same size must be spaced: not before this.
    NotBefore(MonoTime),
}

impl Default for SingleFlight {
    fn default() -> Self {
        // Bounded only then, so that no memory is taken before it is needed.
        let mut file_ids = LruCache::unbounded();
        file_ids.resize(MAX_REMEMBERED_FILE_IDS);
        Self { file_ids, in_flight: HashMap::new(), queue: UploadQueue::default(), paced: HashMap::new() }
    }
}

impl SingleFlight {
    /// Asks for all images of one call, with their sizes in bytes, without committing to anything.
    pub fn admit(&self, now: MonoTime, images: &[(FileKey, u64)]) -> UploadAdmission {
        let (mut known, mut size, mut unknown) = (FileIds::new(), 0, None);
        for (key, bytes) in images {
            if let Some(file_id) = self.file_ids.peek(key) {
                known.insert(*key, file_id.clone());
            } else if self.in_flight.contains_key(key) {
                return UploadAdmission::InFlight(*key);
            } else {
                size += bytes;
                unknown = unknown.or(Some(*key));
            }
        }
        let Some(unknown) = unknown else { return UploadAdmission::Proceed(known) };
        if self.room() == 0 {
            return UploadAdmission::AtCapacity(unknown);
        }
        match self.paced.get(&size) {
            Some(due) if *due - PACING_ALLOWANCE > now => UploadAdmission::NotBefore(*due - PACING_ALLOWANCE),
            _ => UploadAdmission::Proceed(known),
        }
    }

    /// Starts what [`UploadAdmission::Proceed`] allowed: the uploads of all images without a known file_id. Returns
    /// their keys.
    pub fn start(&mut self, now: MonoTime, images: &[(FileKey, u64)], known: &FileIds) -> Vec<FileKey> {
        let unknown = images.iter().filter(|(key, _)| !known.contains_key(key));
        let (keys, sizes): (Vec<_>, Vec<_>) = unknown.copied().unzip();
        self.in_flight.extend(keys.iter().map(|key| (*key, Vec::new())));
        let size = sizes.into_iter().sum::<u64>();
        if size > UNPACED_LIMIT_BYTES {
            // Repeated uploads of one total size are spaced by bytes x 1e-7 s within 0.2..0.9 s (Bot API server).
            let spacing = Duration::from_secs_f64((size as f64 * 1e-7).clamp(0.2, 0.9));
            self.paced.retain(|_, due| *due > now);
            let due = self.paced.entry(size).or_insert(now);
            *due = (*due).max(now) + spacing;
        }
        keys
    }

    /// Lets a chat wait for the answer to an upload.
    pub fn wait_for_upload(&mut self, key: &FileKey, chat: ChatId) {
        if let Some(waiters) = self.in_flight.get_mut(key) {
            waiters.push(chat);
        }
    }

    /// Lets a chat wait until there is room for its upload: until it is called up.
    pub fn wait_for_capacity(&mut self, lane: Lane, image: FileKey, chat: ChatId) {
        self.queue.wait(lane, image, chat);
    }

    /// The next chat for whose upload there is room; it should be put among those that may send. `stands_ready` says of one that
    /// was called up before whether it still stands there.
    pub fn call_up(&mut self, stands_ready: impl Fn(&ChatId) -> bool) -> Option<ChatId> {
        match self.room() {
            0 => None,
            room => self.queue.call_up(room, stands_ready),
        }
    }

    /// A chat has sent: what it has to send next has a turn of its own.
    pub fn has_sent(&mut self, chat: &ChatId) {
        self.queue.has_sent(chat);
    }

    /// How many uploads there are.
    #[cfg(test)]
    pub fn under_way(&self) -> usize {
        self.in_flight.len()
    }

    /// How many more uploads there may be.
    fn room(&self) -> usize {
        MAX_CONCURRENT_UPLOADS.saturating_sub(self.in_flight.len())
    }

    /// Ends an upload, with the file_id it led to if it led to one; returns the chats that waited for it.
    pub fn finish(&mut self, key: &FileKey, file_id: Option<String>) -> Vec<ChatId> {
        let mut woken = self.in_flight.remove(key).unwrap_or_default();
        if let Some(file_id) = file_id {
            self.remember(*key, file_id);
            woken.extend(self.queue.take_waiters_of(key));
        }
        woken
    }

    /// Remembers a file_id.
    pub fn remember(&mut self, key: FileKey, file_id: String) {
        self.file_ids.put(key, file_id);
    }

    /// Forgets a refused file_id, unless another has taken its place.
    pub fn evict(&mut self, key: &FileKey, file_id: &str) {
        if self.file_ids.peek(key).is_some_and(|known| known == file_id) {
            self.file_ids.pop(key);
        }
    }

    /// Forgets which chats wait, not what is known: their notifications have gone back to the queue.
    pub fn clear_waiters(&mut self) {
        self.queue.clear();
        self.in_flight.values_mut().for_each(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MediaKind, Sha256};

    fn key(content: u8) -> FileKey {
        FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) }
    }

    fn upload() -> UploadAdmission {
        UploadAdmission::Proceed(FileIds::new())
    }

    fn known(content: u8) -> UploadAdmission {
        UploadAdmission::Proceed([(key(content), "id".to_owned())].into())
    }

    #[test]
    fn the_second_user_waits_for_the_first_ones_answer_and_sends_the_file_id() {
        let (mut uploads, now) = (SingleFlight::default(), MonoTime::default());
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), upload());
        assert_eq!(uploads.start(now, &[(key(1), 10)], &FileIds::new()), [key(1)]);
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), UploadAdmission::InFlight(key(1)));
        uploads.wait_for_upload(&key(1), ChatId::Id(7));
        assert_eq!(uploads.admit(now, &[(key(2), 10)]), upload(), "another image is not held back");
        assert_eq!(uploads.finish(&key(1), Some("id".into())), [ChatId::Id(7)]);
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), known(1));
        uploads.evict(&key(1), "an older one");
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), known(1));
        uploads.evict(&key(1), "id");
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), upload());
    }

    #[test]
    fn an_album_goes_when_none_of_its_images_is_on_its_way_and_uploads_only_what_is_not_known() {
        let (mut uploads, now) = (SingleFlight::default(), MonoTime::default());
        uploads.remember(key(1), "id".into());
        uploads.start(now, &[(key(2), 10)], &FileIds::new());
        let album = [(key(1), 10), (key(2), 10), (key(3), 10)];
        assert_eq!(uploads.admit(now, &album), UploadAdmission::InFlight(key(2)));
        uploads.finish(&key(2), None);
        let UploadAdmission::Proceed(found) = uploads.admit(now, &album) else { panic!("it may go") };
        assert_eq!(uploads.start(now, &album, &found), [key(2), key(3)]);
        assert_eq!(uploads.admit(now, &[(key(3), 10)]), UploadAdmission::InFlight(key(3)));
    }

    #[test]
    fn a_failed_upload_lets_the_next_one_try() {
        let (mut uploads, now) = (SingleFlight::default(), MonoTime::default());
        uploads.start(now, &[(key(1), 10)], &FileIds::new());
        uploads.wait_for_upload(&key(1), ChatId::Id(7));
        assert_eq!(uploads.finish(&key(1), None), [ChatId::Id(7)]);
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), upload());
    }

    #[test]
    fn different_images_of_one_size_above_100_kb_are_spaced() {
        let (mut uploads, now) = (SingleFlight::default(), MonoTime::after(Duration::from_secs(9)));
        let size = 5_000_000;
        for content in 0..2 {
            assert_eq!(uploads.admit(now, &[(key(content), size)]), upload());
            uploads.start(now, &[(key(content), size)], &FileIds::new());
        }
        uploads.start(now, &[(key(9), size)], &FileIds::new());
        let later = now + Duration::from_millis(500);
        assert_eq!(uploads.admit(now, &[(key(3), size)]), UploadAdmission::NotBefore(later));
        assert_eq!(
            uploads.admit(now, &[(key(3), size - 1), (key(4), 1)]),
            UploadAdmission::NotBefore(later),
            "the sum counts"
        );
        assert_eq!(uploads.admit(now, &[(key(3), size + 1)]), upload());
        assert_eq!(uploads.admit(later, &[(key(3), size)]), upload());
    }
}
