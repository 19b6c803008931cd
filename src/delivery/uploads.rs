//! Upload once: who knows a file_id, who is uploading, who waits for whom. Pure.

use super::clock::Moment;
use crate::domain::ChatId;
use crate::ports::{FileIds, FileKey};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How many file_ids a courier remembers beside the index; the oldest are forgotten first.
const REMEMBERED: usize = 50_000;
/// Uploads under way at a time: the server refuses above 100 (Bot API server); we stay far below.
const CONCURRENT: usize = 16;
/// Uploads up to this size are not paced (Bot API server).
const PACED_ABOVE: u64 = 100_000;
/// The server lets this much of the pacing run ahead before it holds calls (Bot API server).
const ALLOWANCE: Duration = Duration::from_secs(1);

/// The uploads of one bot.
#[derive(Debug, Default)]
pub struct Uploads {
    known: HashMap<FileKey, String>,
    order: VecDeque<FileKey>,
    flights: HashMap<FileKey, Vec<ChatId>>,
    crowd: VecDeque<ChatId>,
    paced: HashMap<u64, Moment>,
}

/// May a call with these images be sent now, and how?
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes: these by the file_ids that are known, the others by looking them up in the index and, if they are not there,
    /// uploading them.
    Go(FileIds),
    /// Somebody else is at this one: wait for the answer.
    Flying(FileKey),
    /// Too many uploads under way.
    Crowded,
    /// Images of the same size must be spaced: not before this.
    At(Moment),
}

impl Uploads {
    /// Asks, for all images of one call with their sizes in bytes, without committing to anything.
    pub fn admit(&self, now: Moment, images: &[(FileKey, u64)]) -> Admission {
        let (mut known, mut size) = (FileIds::new(), 0);
        for (key, bytes) in images {
            if let Some(file_id) = self.known.get(key) {
                known.insert(*key, file_id.clone());
            } else if self.flights.contains_key(key) {
                return Admission::Flying(*key);
            } else {
                size += bytes;
            }
        }
        if known.len() == images.len() {
            return Admission::Go(known);
        }
        if self.flights.len() >= CONCURRENT {
            return Admission::Crowded;
        }
        match self.paced.get(&size) {
            Some(due) if *due - ALLOWANCE > now => Admission::At(*due - ALLOWANCE),
            _ => Admission::Go(known),
        }
    }

    /// Starts the flights that [`Admission::Go`] allowed: of all images without a known file_id. Returns their keys.
    pub fn start(&mut self, now: Moment, images: &[(FileKey, u64)], known: &FileIds) -> Vec<FileKey> {
        let unknown = images.iter().filter(|(key, _)| !known.contains_key(key));
        let (keys, sizes): (Vec<_>, Vec<_>) = unknown.copied().unzip();
        self.flights.extend(keys.iter().map(|key| (*key, Vec::new())));
        let size = sizes.into_iter().sum::<u64>();
        if size > PACED_ABOVE {
            // Repeated uploads of one total size are spaced by bytes x 1e-7 s within 0.2..0.9 s (Bot API server).
            let spacing = Duration::from_secs_f64((size as f64 * 1e-7).clamp(0.2, 0.9));
            self.paced.retain(|_, due| *due > now);
            let due = self.paced.entry(size).or_insert(now);
            *due = (*due).max(now) + spacing;
        }
        keys
    }

    /// Lets a chat wait for the answer of a flight.
    pub fn wait_for(&mut self, key: &FileKey, chat: ChatId) {
        if let Some(waiting) = self.flights.get_mut(key) {
            waiting.push(chat);
        }
    }

    /// Lets a chat wait until any flight ends.
    pub fn wait_in_crowd(&mut self, chat: ChatId) {
        self.crowd.push_back(chat);
    }

    /// Ends a flight, with the file_id it led to if it led to one; returns the chats that waited.
    pub fn land(&mut self, key: &FileKey, file_id: Option<String>) -> Vec<ChatId> {
        let mut woken = self.flights.remove(key).unwrap_or_default();
        woken.extend(self.crowd.drain(..));
        if let Some(file_id) = file_id {
            self.learn(*key, file_id);
        }
        woken
    }

    /// Remembers a file_id.
    pub fn learn(&mut self, key: FileKey, file_id: String) {
        if self.known.insert(key, file_id).is_none() {
            self.order.push_back(key);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// Forgets a refused file_id, unless another has taken its place.
    pub fn evict(&mut self, key: &FileKey, file_id: &str) {
        if self.known.get(key).is_some_and(|known| known == file_id) {
            self.known.remove(key);
            self.order.retain(|other| other != key);
        }
    }

    /// Forgets who waited, not what is known: the notifications have gone back to the queue.
    pub fn clear_waiting(&mut self) {
        self.crowd.clear();
        for waiting in self.flights.values_mut() {
            waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MediaKind, Sha256};

    fn key(content: u8) -> FileKey {
        FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) }
    }

    fn upload() -> Admission {
        Admission::Go(FileIds::new())
    }

    fn known(content: u8) -> Admission {
        Admission::Go([(key(content), "id".to_owned())].into())
    }

    #[test]
    fn the_second_user_waits_for_the_first_ones_answer_and_sends_the_file_id() {
        let (mut uploads, now) = (Uploads::default(), Moment::default());
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), upload());
        assert_eq!(uploads.start(now, &[(key(1), 10)], &FileIds::new()), [key(1)]);
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), Admission::Flying(key(1)));
        uploads.wait_for(&key(1), ChatId::Id(7));
        assert_eq!(uploads.admit(now, &[(key(2), 10)]), upload(), "another image is not held back");
        assert_eq!(uploads.land(&key(1), Some("id".into())), [ChatId::Id(7)]);
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), known(1));
        uploads.evict(&key(1), "an older one");
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), known(1));
        uploads.evict(&key(1), "id");
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), upload());
    }

    #[test]
    fn an_album_goes_when_none_of_its_images_is_on_its_way_and_uploads_only_what_is_not_known() {
        let (mut uploads, now) = (Uploads::default(), Moment::default());
        uploads.learn(key(1), "id".into());
        uploads.start(now, &[(key(2), 10)], &FileIds::new());
        let album = [(key(1), 10), (key(2), 10), (key(3), 10)];
        assert_eq!(uploads.admit(now, &album), Admission::Flying(key(2)));
        uploads.land(&key(2), None);
        let Admission::Go(found) = uploads.admit(now, &album) else { panic!("it may go") };
        assert_eq!(uploads.start(now, &album, &found), [key(2), key(3)]);
        assert_eq!(uploads.admit(now, &[(key(3), 10)]), Admission::Flying(key(3)));
    }

    #[test]
    fn a_failed_upload_lets_the_next_one_try() {
        let (mut uploads, now) = (Uploads::default(), Moment::default());
        uploads.start(now, &[(key(1), 10)], &FileIds::new());
        uploads.wait_for(&key(1), ChatId::Id(7));
        assert_eq!(uploads.land(&key(1), None), [ChatId::Id(7)]);
        assert_eq!(uploads.admit(now, &[(key(1), 10)]), upload());
    }

    #[test]
    fn different_images_of_one_size_above_100_kb_are_spaced() {
        let (mut uploads, now) = (Uploads::default(), Moment::after(Duration::from_secs(9)));
        let size = 5_000_000;
        for content in 0..2 {
            assert_eq!(uploads.admit(now, &[(key(content), size)]), upload());
            uploads.start(now, &[(key(content), size)], &FileIds::new());
        }
        uploads.start(now, &[(key(9), size)], &FileIds::new());
        let later = now + Duration::from_millis(500);
        assert_eq!(uploads.admit(now, &[(key(3), size)]), Admission::At(later));
        assert_eq!(uploads.admit(now, &[(key(3), size - 1), (key(4), 1)]), Admission::At(later), "the sum counts");
        assert_eq!(uploads.admit(now, &[(key(3), size + 1)]), upload());
        assert_eq!(uploads.admit(later, &[(key(3), size)]), upload());
    }
}
