//! The rules of the scheduler, one by one.

mod deferring;
mod pausing;
mod simulation;
mod storm;
mod uploads;

use super::{Dispatch, NextSend, Place, Scheduler, SendJob};
use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::domain::{ChatId, Lane, MediaKind, NotificationId, Sha256};
use crate::ports::{FileIds, FileKey};
use crate::settings::RateLimits;
use std::time::Duration;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(millis: u64) -> MonoTime {
    MonoTime::after(Duration::from_millis(100_000 + millis))
}

fn job(number: u128, chat: i64, lane: Lane) -> SendJob {
    SendJob {
        id: NotificationId::from_number(number),
        chat: ChatId::Id(chat),
        lane,
        place: Place::from_number(number),
        number: None,
        cost: 1,
        bytes: 500,
        images: Vec::new(),
    }
}

fn with_image(number: u128, chat: i64, content: u8) -> SendJob {
    let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) };
    SendJob { images: vec![(key, 1000)], ..job(number, chat, Lane::Normal) }
}

fn scheduler() -> Scheduler {
    Scheduler::new(RateLimits::default(), 1000)
}

/// How many wait or are in flight.
fn held(s: &Scheduler) -> usize {
    s.chats.waiting() + s.in_flight.len()
}

fn number(next: &NextSend) -> Option<u128> {
    match next {
        NextSend::Now(dispatch) => (1..10_000).find(|n| NotificationId::from_number(*n) == dispatch.id),
        NextSend::Wait(_) => None,
    }
}

#[test]
fn a_chat_sends_in_order_with_one_in_flight_and_holds_back_nobody() {
    let mut s = scheduler();
    for (n, chat) in [(1, 7), (2, 7), (3, 8)] {
        s.enqueue(at(0), job(n, chat, Lane::Normal));
    }
    assert_eq!(number(&s.next(at(0))), Some(1));
    assert_eq!(number(&s.next(at(50))), Some(3));
    assert!(matches!(s.next(at(5_000)), NextSend::Wait(None)), "2 waits for the answer to 1");
    s.finish(at(5_000), NotificationId::from_number(1), NextStep::Done, FileIds::new(), true);
    assert_eq!(number(&s.next(at(5_000))), Some(2));
}

#[test]
fn a_chat_keeps_its_place_while_more_arrives_for_it() {
    let mut s =
        Scheduler::new(RateLimits { bot_rate: 30.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 }, 10_000);
    // The bot's burst is spent, and a hundred chats are ready; then the first message of a chat that goes on receiving.
    for n in 1..=100 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    let first = 1_000;
    s.enqueue(at(0), job(first, 7_777, Lane::Normal));
    let (mut sent, mut arrived) = (Vec::new(), 0);
    for millis in (0..5_000).step_by(10) {
        arrived += 1;
        s.enqueue(at(millis), job(first + arrived, 7_777, Lane::Normal));
        s.enqueue(at(millis), job(5_000 + arrived, 10_000 + arrived as i64, Lane::Normal));
        while let NextSend::Now(dispatch) = s.next(at(millis)) {
            sent.push(dispatch.id);
            s.finish(at(millis), dispatch.id, NextStep::Done, FileIds::new(), true);
        }
    }
    let place = sent.iter().position(|id| *id == NotificationId::from_number(first));
    assert_eq!(place, Some(100), "behind those that were there before it, and no later");
}

#[test]
fn a_new_owner_is_silent_for_a_second_and_has_no_burst() {
    let mut s = scheduler();
    s.take_over(at(0));
    for n in 1..=100 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    let mut sent = Vec::new();
    for millis in (0..3_000).step_by(5) {
        while let NextSend::Now(dispatch) = s.next(at(millis)) {
            sent.push(millis);
            s.finish(at(millis), dispatch.id, NextStep::Done, FileIds::new(), true);
        }
    }
    assert!(sent[0] >= 1_000, "the one before may have sent 30 at the last moment: {sent:?}");
    assert!(sent[10] - sent[0] >= 300, "30 a second from the first on: {sent:?}");
    assert!(sent.len() >= 55, "{sent:?}");
}

#[test]
fn a_retry_keeps_its_place_in_its_chat() {
    let mut s = scheduler();
    s.enqueue(at(0), job(1, 7, Lane::Normal));
    s.enqueue(at(0), job(2, 7, Lane::Normal));
    s.next(at(0));
    s.finish(at(10), NotificationId::from_number(1), NextStep::Retry(secs(3)), FileIds::new(), true);
    assert_eq!(s.next(at(20)), NextSend::Wait(Some(at(3_010))));
    assert_eq!(number(&s.next(at(3_010))), Some(1));
}

#[test]
fn urgent_goes_first_also_within_a_chat_and_bulk_is_not_starved() {
    let mut s =
        Scheduler::new(RateLimits { bot_rate: 0.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 }, 1000);
    s.enqueue(at(0), job(1, 1, Lane::Bulk));
    for n in 2..60 {
        s.enqueue(at(0), job(n, n as i64, Lane::Urgent));
    }
    s.enqueue(at(0), job(99, 1, Lane::Urgent));
    let order: Vec<_> = (0..60)
        .filter_map(|_| {
            let next = number(&s.next(at(0)));
            if let Some(n) = next {
                s.finish(at(0), NotificationId::from_number(n), NextStep::Done, FileIds::new(), true);
            }
            next
        })
        .collect();
    let place = |n| order.iter().position(|other| *other == n).unwrap();
    assert_eq!(order.len(), 60);
    assert!(place(99) < place(1), "urgent first within the chat");
    assert!(place(2) < place(1));

    for n in 100..200 {
        s.enqueue(at(0), job(n, n as i64, Lane::Urgent));
    }
    s.enqueue(at(0), job(300, 300, Lane::Bulk));
    let before = (0..101).position(|_| number(&s.next(at(0))) == Some(300)).unwrap();
    assert!((15..=25).contains(&before), "{before} urgent ones went before it");
}

#[test]
fn a_flood_wait_freezes_its_chat_and_two_of_them_the_bot() {
    let mut s = scheduler();
    for n in 1..=4 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    assert_eq!(number(&s.next(at(0))), Some(1));
    s.finish(at(30), NotificationId::from_number(1), NextStep::FloodWait(secs(20)), FileIds::new(), true);
    assert_eq!(number(&s.next(at(40))), Some(2), "other chats go on");
    s.finish(at(60), NotificationId::from_number(2), NextStep::FloodWait(secs(10)), FileIds::new(), true);
    assert_eq!(s.next(at(100)), NextSend::Wait(Some(at(10_060))), "now the bot waits, for the shorter of the two");
    assert_eq!(number(&s.next(at(10_060))), Some(3));
    let NextSend::Wait(Some(next)) = s.next(at(10_060)) else { panic!("paced") };
    assert!(next - at(10_060) > Duration::from_millis(100), "and restarts gently");
    assert!(
        s.chats.get(&ChatId::Id(1)).unwrap().ready_at(at(10_060)) == at(20_030),
        "the chat itself waits for its own"
    );
}

#[test]
fn concurrent_first_users_of_an_image_wait_for_one_upload() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.enqueue(at(0), with_image(n, n as i64, 9));
    }
    assert!(matches!(s.next(at(0)), NextSend::Now(Dispatch { file_ids, .. }) if file_ids.is_empty()));
    assert_eq!(s.next(at(1_000)), NextSend::Wait(None));
    s.finish(
        at(1_000),
        NotificationId::from_number(1),
        NextStep::Done,
        [(with_image(1, 1, 9).images[0].0, "f".to_owned())].into(),
        true,
    );
    for time in [1_000, 1_100] {
        assert!(matches!(s.next(at(time)), NextSend::Now(Dispatch { file_ids, .. }) if file_ids.values().eq(["f"])));
    }
}

#[test]
fn a_refused_file_id_is_uploaded_again_by_one_and_not_by_all() {
    let mut s =
        Scheduler::new(RateLimits { bot_rate: 0.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 }, 1000);
    let (key, _) = with_image(1, 1, 9).images[0];
    s.uploads.remember(key, "dead".into());
    for n in 1..=10 {
        s.enqueue(at(0), with_image(n, n as i64, 9));
        assert!(matches!(s.next(at(0)), NextSend::Now(Dispatch { file_ids, .. }) if file_ids.len() == 1));
    }
    s.uploads.evict(&key, "dead");
    for n in 1..=10 {
        s.finish(at(10), NotificationId::from_number(n), NextStep::Retry(Duration::ZERO), FileIds::new(), true);
    }
    assert!(matches!(s.next(at(20)), NextSend::Now(Dispatch { file_ids, .. }) if file_ids.is_empty()));
    assert_eq!(s.next(at(20)), NextSend::Wait(None), "the other nine wait for it");
}

#[test]
fn what_never_left_costs_nothing() {
    let mut s = scheduler();
    for n in 1..=100 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    for _ in 0..90 {
        let NextSend::Now(dispatch) = s.next(at(0)) else { panic!("the tokens were given back") };
        s.finish(at(0), dispatch.id, NextStep::Postpone(secs(5)), FileIds::new(), false);
    }
}

#[test]
fn a_failed_first_user_passes_the_upload_on() {
    let mut s = scheduler();
    s.enqueue(at(0), with_image(1, 1, 9));
    s.enqueue(at(0), with_image(2, 2, 9));
    s.next(at(0));
    s.next(at(50));
    s.finish(at(100), NotificationId::from_number(1), NextStep::Done, FileIds::new(), true);
    assert_eq!(number(&s.next(at(100))), Some(2));
}

#[test]
fn a_migrated_chat_takes_its_waiting_notifications_along() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.enqueue(at(0), job(n, -5, Lane::Normal));
    }
    s.next(at(0));
    s.finish(at(100), NotificationId::from_number(1), NextStep::Migrate(ChatId::Id(-1005)), FileIds::new(), true);
    assert_eq!(number(&s.next(at(200))), Some(1));
    assert!(s.in_flight.values().all(|sent| sent.job.chat == ChatId::Id(-1005)));
    assert_eq!(held(&s), 3);
}

#[test]
fn while_telegram_is_away_one_probe_goes_at_a_time() {
    let mut s = scheduler();
    for n in 1..=20 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    for n in 1..=5 {
        let time = at(n as u64 * 100);
        assert!(matches!(s.next(time), NextSend::Now(_)));
        s.breaker.record_failure(time);
        s.finish(time, NotificationId::from_number(n), NextStep::Retry(secs(1)), FileIds::new(), true);
    }
    let NextSend::Wait(Some(probe)) = s.next(at(600)) else { panic!("open") };
    assert!(matches!(s.next(probe), NextSend::Now(_)));
    assert_eq!(s.next(probe + secs(9)), NextSend::Wait(None));
}

#[test]
fn the_turn_of_a_job_is_estimated_by_its_place_the_rate_and_the_freezes() {
    let mut s = scheduler();
    assert_eq!(s.estimate_turn(at(0), &job(1, -5, Lane::Normal)), at(0), "an idle group is written to at once");
    for n in 1..=20 {
        s.enqueue(at(0), job(n, -5, Lane::Normal));
    }
    assert_eq!(number(&s.next(at(0))), Some(1));
    let wait = s.estimate_turn(at(0), &job(21, -5, Lane::Normal)) - at(0);
    assert!(wait >= secs(58) && wait <= secs(64), "20 before it at 20 a minute: {wait:?}");
    assert!(s.estimate_turn(at(0), &job(11, -5, Lane::Normal)) < at(35_000), "one that is here has fewer before it");
    assert!(s.estimate_turn(at(0), &job(22, -5, Lane::Urgent)) < at(5_000), "nor do those of a lower lane count");
    assert!(s.estimate_turn(at(0), &job(23, 9, Lane::Normal)) < at(200), "another chat waits for the bot alone");
    s.finish(at(100), NotificationId::from_number(1), NextStep::FloodWait(secs(3600)), FileIds::new(), true);
    assert!(s.estimate_turn(at(200), &job(24, -5, Lane::Urgent)) >= at(3_600_000), "a freeze is waited for");
}

#[test]
fn an_album_waits_for_the_upload_of_any_of_its_images_and_lands_all_of_its_own() {
    let mut s =
        Scheduler::new(RateLimits { bot_rate: 0.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 }, 1000);
    let album = |number: u128, chat, contents: &[u8]| {
        let images = contents.iter().flat_map(|content| with_image(1, 1, *content).images).collect();
        SendJob { images, cost: 2, ..job(number, chat, Lane::Normal) }
    };
    s.enqueue(at(0), album(1, 1, &[1, 2]));
    s.enqueue(at(0), album(2, 2, &[2, 3]));
    s.enqueue(at(0), album(3, 3, &[4, 5]));
    assert_eq!([number(&s.next(at(0))), number(&s.next(at(0)))], [Some(1), Some(3)], "the second waits for an image");
    assert_eq!(s.next(at(0)), NextSend::Wait(None));
    let learnt: FileIds = album(1, 1, &[1, 2]).images.into_iter().map(|(key, _)| (key, "f".to_owned())).collect();
    s.finish(at(10), NotificationId::from_number(1), NextStep::Done, learnt, true);
    let NextSend::Now(dispatch) = s.next(at(10)) else { panic!("it may go now") };
    assert_eq!(
        (dispatch.id, dispatch.file_ids.len()),
        (NotificationId::from_number(2), 1),
        "one is known, one uploads"
    );
}

#[test]
fn what_arrives_for_the_old_name_of_a_chat_goes_to_the_new_one() {
    let mut s = scheduler();
    let [a, b, c] = [-1, -2, -3].map(ChatId::Id);
    for (from, to) in [(&a, &b), (&b, &c)] {
        s.chats.migrate(at(0), from, to.clone());
    }
    assert_eq!([s.current_chat(&a), s.current_chat(&b), s.current_chat(&c)], [Some(&c), Some(&c), None]);
    s.chats.migrate(at(0), &c, a.clone());
    assert_eq!([s.current_chat(&a), s.current_chat(&b), s.current_chat(&c)], [None, Some(&a), Some(&a)]);
}

#[test]
fn a_chat_that_was_told_to_wait_is_slowed_for_a_while() {
    let mut s = scheduler();
    for n in 1..=30 {
        s.enqueue(at(0), job(n, 7, Lane::Normal));
    }
    s.next(at(0));
    s.finish(at(0), NotificationId::from_number(1), NextStep::FloodWait(secs(10)), FileIds::new(), true);
    assert_eq!(s.pace(at(10_000)), (1.0, 1));
    let mut sent = 0;
    for millis in (10_000..20_000).step_by(50) {
        while let NextSend::Now(dispatch) = s.next(at(millis)) {
            sent += 1;
            s.finish(at(millis), dispatch.id, NextStep::Done, FileIds::new(), true);
        }
    }
    assert!((5..=6).contains(&sent), "half of its pace: {sent} in 10 s");
    assert_eq!(s.pace(at(400_000)), (1.0, 0), "and then no more");
}

#[test]
fn what_waits_for_a_part_of_ours_goes_when_it_is_back() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    for n in 1..=3 {
        assert_eq!(number(&s.next(at(n * 100))), Some(n.into()));
        let step = NextStep::AwaitPart(secs(60));
        s.finish(at(n * 100), NotificationId::from_number(n.into()), step, FileIds::new(), false);
    }
    assert_eq!(number(&s.next(at(5_000))), None);
    assert_eq!((s.is_awaiting_part(), s.wake_awaiting_part(at(5_000))), (true, 3));
    assert_eq!(number(&s.next(at(5_000))), Some(1));
    assert!(!s.is_awaiting_part());
}

#[test]
fn one_message_does_not_wait_for_a_turn_of_everybody_who_has_hundreds() {
    let mut s =
        Scheduler::new(RateLimits { bot_rate: 30.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 }, 10_000);
    let mut n = 0;
    for chat in 1..=250 {
        for _ in 0..20 {
            n += 1;
            s.enqueue(at(0), job(n, chat, Lane::Normal));
        }
    }
    let mut sent = Vec::new();
    for millis in (0..16_000).step_by(10) {
        // The busy ones have had a turn each by then.
        if millis == 13_000 {
            for idle in 1..=30 {
                s.enqueue(at(millis), job(9_000 + idle as u128, 1_000 + idle, Lane::Normal));
            }
        }
        while let NextSend::Now(dispatch) = s.next(at(millis)) {
            let id = dispatch.id;
            sent.push((millis, number(&NextSend::Now(dispatch)).unwrap()));
            s.finish(at(millis), id, NextStep::Done, FileIds::new(), true);
        }
    }
    let idle: Vec<_> = sent.iter().filter(|(_, n)| *n > 9_000).map(|(millis, _)| *millis).collect();
    assert_eq!(idle.len(), 30);
    assert!(idle[29] < 14_500, "all within a second and a half: {idle:?}");
    let busy = sent.iter().filter(|(millis, n)| *n < 9_000 && (13_000..14_500).contains(millis)).count();
    assert!(busy >= 10, "and the others are not stopped: {busy}");
}
