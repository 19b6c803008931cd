//! The chats that wait until there is room for an upload: those of each lane in the order in which they came.
//!
//! Only as many are called up as there is room for. One that is called up stands among the chats that may send, and may find there
//! that others have taken the room: then it waits again in its old place.

use crate::domain::{ChatId, Lane};
use crate::ports::FileKey;
use std::collections::{BTreeMap, HashMap};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UploadQueue {
    /// By lane, in the order of their tickets.
    waiting: [BTreeMap<u64, ChatId>; 3],
    places: HashMap<ChatId, Waiting>,
    /// The same by what they have to upload: another may do it meanwhile.
    by_image: HashMap<FileKey, BTreeMap<u64, ChatId>>,
    /// Those called up that have not sent since.
    called: HashMap<ChatId, Ticket>,
    last_ticket: u64,
}

/// Where a chat waits: the lane of what it has to send, and the number of its arrival.
type Ticket = (Lane, u64);

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    image: FileKey,
}

impl UploadQueue {
    /// Lets a chat wait that has to upload this image. One that waits already in the same lane, or was called up from there, has its old
    /// place.
    pub fn wait(&mut self, lane: Lane, image: FileKey, chat: ChatId) {
        let called = self.called.remove(&chat);
        let former = self.leave(&chat).or(called);
        let ticket = former.filter(|(of, _)| *of == lane).unwrap_or_else(|| {
            self.last_ticket += 1;
            (lane, self.last_ticket)
        });
        self.waiting[lane as usize].insert(ticket.1, chat.clone());
        self.by_image.entry(image).or_default().insert(ticket.1, chat.clone());
        self.places.insert(chat, Waiting { ticket, image });
    }

    /// Calls the next one up, unless as many of each lane are called up as there is room for. `stands_ready` says of one that was
    /// called up whether it still stands among those that may send.
    pub fn call_up(&mut self, room: usize, stands_ready: impl Fn(&ChatId) -> bool) -> Option<ChatId> {
        if self.places.is_empty() {
            return None;
        }
        self.called.retain(|chat, _| stands_ready(chat));
        let has_room = |lane: &Lane| self.called.values().filter(|(of, _)| of == lane).count() < room;
        let first = |lane: Lane| Some((lane, self.waiting[lane as usize].first_key_value()?.1.clone()));
        let (_, chat) = Lane::ALL.into_iter().filter(has_room).find_map(first)?;
        let ticket = self.leave(&chat)?;
        self.called.insert(chat.clone(), ticket);
        Some(chat)
    }

    /// Takes out the chats that wait to upload an image: another has done it.
    pub fn take_waiters_of(&mut self, image: &FileKey) -> Vec<ChatId> {
        let waiters: Vec<_> = self.by_image.remove(image).unwrap_or_default().into_values().collect();
        for chat in &waiters {
            self.leave(chat);
        }
        waiters
    }

    /// A chat has sent: its next one has a turn of its own.
    pub fn has_sent(&mut self, chat: &ChatId) {
        self.called.remove(chat);
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        *self = Self { last_ticket: self.last_ticket, ..Self::default() };
    }

    /// Takes a chat out; its ticket, if it waited.
    fn leave(&mut self, chat: &ChatId) -> Option<Ticket> {
        let Waiting { ticket, image } = self.places.remove(chat)?;
        self.waiting[ticket.0 as usize].remove(&ticket.1);
        if let Some(waiters) = self.by_image.get_mut(&image) {
            waiters.remove(&ticket.1);
            if waiters.is_empty() {
                self.by_image.remove(&image);
            }
        }
        Some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MediaKind, Sha256};

    fn image(content: u8) -> FileKey {
        FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) }
    }

    /// Lets chats wait, each with an image of its own number.
    fn waiting(chats: &[(Lane, u8)]) -> UploadQueue {
        let mut queue = UploadQueue::default();
        chats.iter().for_each(|(lane, chat)| queue.wait(*lane, image(*chat), ChatId::Id(i64::from(*chat))));
        queue
    }

    fn called(queue: &mut UploadQueue, room: usize) -> Vec<i64> {
        let calls = std::iter::from_fn(|| queue.call_up(room, |_| true));
        calls.map(|chat| if let ChatId::Id(number) = chat { number } else { 0 }).collect()
    }

    #[test]
    fn as_many_of_each_lane_are_called_as_there_is_room_for_and_the_first_first() {
        let mut queue =
            waiting(&[(Lane::Bulk, 1), (Lane::Normal, 2), (Lane::Normal, 3), (Lane::Normal, 4), (Lane::Urgent, 5)]);
        assert_eq!(called(&mut queue, 2), [5, 2, 3, 1]);
        assert!(called(&mut queue, 2).is_empty(), "they have not sent yet");
        queue.has_sent(&ChatId::Id(5));
        assert!(called(&mut queue, 2).is_empty(), "no urgent one is left");
        queue.has_sent(&ChatId::Id(2));
        assert_eq!(called(&mut queue, 2), [4]);
        assert!(queue.places.is_empty() && queue.by_image.is_empty());
    }

    #[test]
    fn who_finds_no_room_after_all_waits_in_its_old_place_and_who_has_sent_behind_the_others() {
        let mut queue = waiting(&[(Lane::Normal, 1), (Lane::Normal, 2), (Lane::Normal, 3)]);
        assert_eq!(called(&mut queue, 2), [1, 2]);
        queue.wait(Lane::Normal, image(2), ChatId::Id(2));
        queue.wait(Lane::Normal, image(1), ChatId::Id(1));
        assert_eq!(called(&mut queue, 1), [1]);
        queue.has_sent(&ChatId::Id(1));
        queue.wait(Lane::Normal, image(1), ChatId::Id(1));
        assert_eq!(called(&mut queue, 3), [2, 3, 1]);
    }

    #[test]
    fn who_was_called_and_does_not_stand_there_any_more_takes_no_room() {
        let mut queue = waiting(&[(Lane::Normal, 1), (Lane::Normal, 2)]);
        assert_eq!(queue.call_up(1, |_| true), Some(ChatId::Id(1)));
        assert_eq!(queue.call_up(1, |_| false), Some(ChatId::Id(2)));
        assert_eq!(queue.call_up(1, |_| false), None);
    }

    #[test]
    fn a_chat_waits_once_whatever_it_asks_for() {
        let mut queue = waiting(&[(Lane::Normal, 1), (Lane::Normal, 2), (Lane::Normal, 1)]);
        queue.wait(Lane::Urgent, image(7), ChatId::Id(2));
        assert!(queue.take_waiters_of(&image(2)).is_empty(), "it has another to send now");
        assert_eq!(called(&mut queue, 9), [2, 1]);
    }

    #[test]
    fn an_image_that_another_has_uploaded_is_waited_for_no_more() {
        let mut queue = waiting(&[(Lane::Normal, 3), (Lane::Normal, 1)]);
        queue.wait(Lane::Bulk, image(3), ChatId::Id(4));
        assert_eq!(queue.take_waiters_of(&image(3)), [ChatId::Id(3), ChatId::Id(4)]);
        assert_eq!(called(&mut queue, 9), [1]);
    }
}
