//! The last events that the feed has read.

use crate::callbacks::payload;
use crate::domain::{EventId, Record};
use crate::ports::EventPage;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many events are kept for those who listen; who is further behind reads the log.
const KEPT_EVENTS: usize = 500;
/// How many of them a listener takes at a time.
const TAKEN_AT_ONCE: usize = 100;

/// How a notification has ended.
pub struct Event {
    /// Where it stands in the log.
    pub id: EventId,
    /// Its record, without attempts and result.
    pub record: Record,
    /// The JSON that tells of it.
    pub payload: String,
}

impl Event {
    /// The events of a page.
    pub fn of(page: EventPage) -> Vec<Arc<Self>> {
        let event = |(id, record): (EventId, Record)| {
            let payload = payload::of_record(&record);
            Arc::new(Self { id, record: Record { attempts: Vec::new(), result: None, ..record }, payload })
        };
        page.events.into_iter().map(event).collect()
    }
}

/// What a listener finds among the last events.
pub enum Look {
    /// These came next, and here it reads on.
    Events(Vec<Arc<Event>>, EventId),
    /// Nothing yet.
    UpToDate,
    /// They do not tell: it is behind, or ahead of the feed.
    Elsewhere,
}

/// All events of a part of the log.
pub struct Recent {
    /// It begins after this one,
    after: EventId,
    /// and has been read to this one.
    pub last: EventId,
    events: VecDeque<Arc<Event>>,
}

impl Recent {
    /// Nothing yet.
    pub fn begin(at: EventId) -> Self {
        Self { after: at, last: at, events: VecDeque::new() }
    }

    /// Takes in what comes next. Behind a gap it begins anew: those who wait read for themselves, and learn of it.
    pub fn append(&mut self, page: EventPage) {
        if page.gap.is_some() {
            return *self = Self::begin(page.next);
        }
        self.last = page.next;
        self.events.extend(Event::of(page));
        while self.events.len() > KEPT_EVENTS {
            self.after = self.events.pop_front().map_or(self.after, |event| event.id);
        }
    }

    /// What came after an event.
    pub fn look(&self, after: EventId) -> Look {
        if after < self.after || after > self.last {
            return Look::Elsewhere;
        }
        if after == self.last {
            return Look::UpToDate;
        }
        let first = self.events.partition_point(|event| event.id <= after);
        let events: Vec<_> = self.events.iter().skip(first).take(TAKEN_AT_ONCE).cloned().collect();
        let is_all = first + events.len() == self.events.len();
        let next = events.last().map(|event| event.id).filter(|_| !is_all).unwrap_or(self.last);
        Look::Events(events, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RecordUpdate, Status, Timestamp};
    use serde_json::json;

    fn id(number: u32) -> EventId {
        EventId { millis: 7, number }
    }

    fn page(numbers: std::ops::Range<u32>, gap: Option<EventId>) -> EventPage {
        let record = |number: u32| {
            let notification = json!({
                "v": 1, "id": uuid::Uuid::from_u128(number.into()), "bot": "shop", "chat_id": 5, "lane": "normal",
                "delivery": "at_least_once", "call": {"method": "sendMessage", "params": {}, "media": []},
                "accepted_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z",
            });
            let mut record = Record::accepted(serde_json::from_value(notification).unwrap());
            record.apply(RecordUpdate::of(Status::Sent, Timestamp::now()));
            (id(number), record)
        };
        let next = id(numbers.end - 1);
        EventPage { events: numbers.map(record).collect(), next, more: false, gap }
    }

    fn taken(recent: &Recent, after: u32) -> Option<(Vec<u32>, EventId)> {
        match recent.look(id(after)) {
            Look::Events(events, next) => Some((events.iter().map(|event| event.id.number).collect(), next)),
            Look::UpToDate => Some((Vec::new(), recent.last)),
            Look::Elsewhere => None,
        }
    }

    #[test]
    fn a_listener_takes_what_came_after_its_event_a_piece_at_a_time() {
        let mut recent = Recent::begin(id(9));
        assert_eq!(taken(&recent, 9), Some((vec![], id(9))));
        recent.append(page(10..130, None));
        assert_eq!(taken(&recent, 9), Some(((10..110).collect(), id(109))));
        assert_eq!(taken(&recent, 109), Some(((110..130).collect(), id(129))));
        // What ended and is no end any more leaves nothing, and is passed.
        recent.append(EventPage { events: Vec::new(), ..page(130..131, None) });
        assert_eq!(taken(&recent, 129), Some((vec![], id(130))));
        assert!(taken(&recent, 8).is_none() && taken(&recent, 131).is_none());
        let Look::Events(events, _) = recent.look(id(9)) else { panic!("there are some") };
        let payload: serde_json::Value = serde_json::from_str(&events[0].payload).unwrap();
        assert_eq!((&payload["type"], &payload["data"]["bot"]), (&json!("notification.sent"), &json!("shop")));
    }

    #[test]
    fn only_the_last_are_kept_and_behind_a_gap_none() {
        let mut recent = Recent::begin(id(0));
        recent.append(page(1..601, None));
        assert!(taken(&recent, 99).is_none(), "it is behind");
        assert_eq!(taken(&recent, 100).unwrap().0, (101..201).collect::<Vec<_>>());
        recent.append(page(700..703, Some(id(699))));
        assert!(taken(&recent, 600).is_none(), "it reads for itself, and learns of the gap");
        assert_eq!(taken(&recent, 702), Some((vec![], id(702))));
    }
}
