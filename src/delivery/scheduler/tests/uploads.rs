//! Who uploads when there is no room for all.

use super::pausing::pauses;
use super::{at, job, number, secs};
use crate::delivery::next_step::NextStep;
use crate::delivery::scheduler::{NextSend, Scheduler, SendJob};
use crate::domain::{Lane, MediaKind, NotificationId, Sha256};
use crate::ports::{FileIds, FileKey};
use crate::settings::RateLimits;

/// So many are under way at a time.
const ROOM: u128 = 16;

fn image(content: u128) -> FileKey {
    FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&content.to_be_bytes()) }
}

/// To a chat of its own, of the same number.
fn with(content: u128, n: u128, lane: Lane) -> SendJob {
    SendJob { images: vec![(image(content), 1_000)], ..job(n, n as i64, lane) }
}

/// Without limits but that of the uploads, and as many uploads under way as may be: numbers 1 to 16.
fn at_capacity() -> Scheduler {
    let limits = RateLimits { bot_rate: 0.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 };
    let mut s = Scheduler::new(limits, 1_000);
    (1..=ROOM).for_each(|n| _ = s.enqueue(at(0), with(n, n, Lane::Normal)));
    assert_eq!(sent(&mut s).len(), 16);
    s
}

/// The numbers of all that can be sent now.
fn sent(s: &mut Scheduler) -> Vec<u128> {
    std::iter::from_fn(|| number(&s.next(at(0)))).collect()
}

fn ends(s: &mut Scheduler, n: u128, learnt: Option<u128>) {
    let file_ids: FileIds = learnt.map(|content| (image(content), "id".to_owned())).into_iter().collect();
    s.finish(at(0), NotificationId::from_number(n), NextStep::Done, file_ids, true);
}

#[test]
fn with_each_end_one_goes_the_most_urgent_first_and_none_in_vain() {
    let mut s = at_capacity();
    for n in 20..420 {
        s.enqueue(at(0), with(n, n, Lane::Normal));
    }
    s.enqueue(at(0), with(500, 500, Lane::Bulk));
    s.enqueue(at(0), with(501, 501, Lane::Urgent));
    assert_eq!(s.next(at(0)), NextSend::Wait(None));
    ends(&mut s, 1, Some(1));
    assert_eq!(sent(&mut s), [501]);
    for n in 2..=ROOM {
        ends(&mut s, n, Some(n));
        assert_eq!(sent(&mut s), [n + 18], "in the order in which they came");
    }
    ends(&mut s, 20, None);
    ends(&mut s, 21, None);
    assert_eq!(sent(&mut s).len(), 2, "a failed upload gives its room away, too");
}

#[test]
fn texts_are_not_held_up_and_who_waits_for_room_has_its_text_sent_first_if_it_is_more_urgent() {
    let mut s = at_capacity();
    for n in 20..30 {
        s.enqueue(at(0), with(n, n, Lane::Normal));
    }
    assert!(sent(&mut s).is_empty());
    s.enqueue(at(0), job(40, 40, Lane::Bulk));
    s.enqueue(at(0), job(41, 25, Lane::Urgent));
    assert_eq!(sent(&mut s), [41, 40]);
    ends(&mut s, 41, None);
    assert!(sent(&mut s).is_empty(), "its image waits as before");
    for n in 1..=10 {
        ends(&mut s, n, None);
    }
    assert_eq!(sent(&mut s), (20..30).collect::<Vec<_>>());
}

#[test]
fn what_others_have_uploaded_meanwhile_needs_no_room() {
    let mut s = at_capacity();
    s.enqueue(at(0), with(99, 20, Lane::Normal));
    for n in 21..30 {
        s.enqueue(at(0), with(n, n, Lane::Normal));
    }
    for n in 30..60 {
        s.enqueue(at(0), with(99, n, Lane::Normal));
    }
    assert!(sent(&mut s).is_empty());
    ends(&mut s, 1, None);
    assert_eq!(sent(&mut s), [20], "it uploads for all");
    ends(&mut s, 20, Some(99));
    let (by_file_id, uploading): (Vec<_>, Vec<_>) = sent(&mut s).into_iter().partition(|n| *n >= 30);
    assert_eq!((by_file_id, uploading), ((30..60).collect(), vec![21]));
}

#[test]
fn who_is_called_up_and_cannot_go_lets_the_next_one_go() {
    let mut s = at_capacity();
    for n in 20..30 {
        s.enqueue(at(0), with(n, n, Lane::Normal));
    }
    assert!(sent(&mut s).is_empty());
    s.set_paused(at(0), Some(&pauses(false, &[20, 21, 22, 23])));
    s.remove(at(0), &with(24, 24, Lane::Normal));
    s.defer(at(0), &with(25, 25, Lane::Normal), at(0) + secs(60));
    for n in 1..=3 {
        ends(&mut s, n, None);
    }
    assert_eq!(sent(&mut s), [26, 27, 28]);
    s.set_paused(at(0), None);
    for n in 4..=8 {
        ends(&mut s, n, None);
    }
    let mut gone = sent(&mut s);
    gone.sort_unstable();
    assert_eq!(gone, [20, 21, 22, 23, 29]);
}
