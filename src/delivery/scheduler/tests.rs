use super::*;
use crate::domain::{MediaKind, Sha256};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(millis: u64) -> Moment {
    Moment::after(Duration::from_millis(100_000 + millis))
}

fn ticket(number: u128, chat: i64, lane: Lane) -> Ticket {
    Ticket { id: NotificationId::from_number(number), chat: ChatId::Id(chat), lane, cost: 1, images: Vec::new() }
}

fn with_image(number: u128, chat: i64, content: u8) -> Ticket {
    let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) };
    Ticket { images: vec![(key, 1000)], ..ticket(number, chat, Lane::Normal) }
}

fn scheduler() -> Scheduler {
    Scheduler::new(RateLimits::default(), 1000)
}

fn number(next: &Next) -> Option<u128> {
    match next {
        Next::Send(dispatch) => (1..10_000).find(|n| NotificationId::from_number(*n) == dispatch.id),
        Next::Wait(_) => None,
    }
}

#[test]
fn a_chat_sends_in_order_with_one_in_flight_and_holds_back_nobody() {
    let mut s = scheduler();
    for (n, chat) in [(1, 7), (2, 7), (3, 8)] {
        s.push(at(0), ticket(n, chat, Lane::Normal));
    }
    assert_eq!(number(&s.next(at(0))), Some(1));
    assert_eq!(number(&s.next(at(50))), Some(3));
    assert!(matches!(s.next(at(5_000)), Next::Wait(None)), "2 waits for the answer to 1");
    s.finish(at(5_000), NotificationId::from_number(1), Finish::Done, FileIds::new());
    assert_eq!(number(&s.next(at(5_000))), Some(2));
}

#[test]
fn a_retry_keeps_its_place_in_its_chat() {
    let mut s = scheduler();
    s.push(at(0), ticket(1, 7, Lane::Normal));
    s.push(at(0), ticket(2, 7, Lane::Normal));
    s.next(at(0));
    s.finish(at(10), NotificationId::from_number(1), Finish::Again(secs(3)), FileIds::new());
    assert_eq!(s.next(at(20)), Next::Wait(Some(at(3_010))));
    assert_eq!(number(&s.next(at(3_010))), Some(1));
}

#[test]
fn urgent_goes_first_also_within_a_chat_and_bulk_is_not_starved() {
    let mut s = Scheduler::new(RateLimits { bot_rate: 0.0, chat_rate: 0.0, group_rate_per_minute: 0 }, 1000);
    s.push(at(0), ticket(1, 1, Lane::Bulk));
    for n in 2..60 {
        s.push(at(0), ticket(n, n as i64, Lane::Urgent));
    }
    s.push(at(0), ticket(99, 1, Lane::Urgent));
    let order: Vec<_> = (0..60)
        .filter_map(|_| {
            let next = number(&s.next(at(0)));
            if let Some(n) = next {
                s.finish(at(0), NotificationId::from_number(n), Finish::Done, FileIds::new());
            }
            next
        })
        .collect();
    let place = |n| order.iter().position(|other| *other == n).unwrap();
    assert_eq!(order.len(), 60);
    assert!(place(99) < place(1), "urgent first within the chat");
    assert!(place(2) < place(1));

    for n in 100..200 {
        s.push(at(0), ticket(n, n as i64, Lane::Urgent));
    }
    s.push(at(0), ticket(300, 300, Lane::Bulk));
    let before = (0..101).position(|_| number(&s.next(at(0))) == Some(300)).unwrap();
    assert!((15..=25).contains(&before), "{before} urgent ones went before it");
}

#[test]
fn a_flood_wait_freezes_its_chat_and_two_of_them_the_bot() {
    let mut s = scheduler();
    for n in 1..=4 {
        s.push(at(0), ticket(n, n as i64, Lane::Normal));
    }
    assert_eq!(number(&s.next(at(0))), Some(1));
    s.finish(at(30), NotificationId::from_number(1), Finish::Flood(secs(20)), FileIds::new());
    assert_eq!(number(&s.next(at(40))), Some(2), "other chats go on");
    s.finish(at(60), NotificationId::from_number(2), Finish::Flood(secs(10)), FileIds::new());
    assert_eq!(s.next(at(100)), Next::Wait(Some(at(10_060))), "now the bot waits, for the shorter of the two");
    assert_eq!(number(&s.next(at(10_060))), Some(3));
    let Next::Wait(Some(next)) = s.next(at(10_060)) else { panic!("paced") };
    assert!(next - at(10_060) > Duration::from_millis(100), "and restarts gently");
    assert!(s.chats[&ChatId::Id(1)].ready_at(at(10_060)) == at(20_030), "the chat itself waits for its own");
}

#[test]
fn concurrent_first_users_of_an_image_wait_for_one_upload() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.push(at(0), with_image(n, n as i64, 9));
    }
    assert!(matches!(s.next(at(0)), Next::Send(Dispatch { file_ids, .. }) if file_ids.is_empty()));
    assert_eq!(s.next(at(1_000)), Next::Wait(None));
    s.finish(
        at(1_000),
        NotificationId::from_number(1),
        Finish::Done,
        [(with_image(1, 1, 9).images[0].0, "f".to_owned())].into(),
    );
    for time in [1_000, 1_100] {
        assert!(matches!(s.next(at(time)), Next::Send(Dispatch { file_ids, .. }) if file_ids.values().eq(["f"])));
    }
}

#[test]
fn a_refused_file_id_is_uploaded_again_by_one_and_not_by_all() {
    let mut s = Scheduler::new(RateLimits { bot_rate: 0.0, chat_rate: 0.0, group_rate_per_minute: 0 }, 1000);
    let (key, _) = with_image(1, 1, 9).images[0];
    s.uploads.learn(key, "dead".into());
    for n in 1..=10 {
        s.push(at(0), with_image(n, n as i64, 9));
        assert!(matches!(s.next(at(0)), Next::Send(Dispatch { file_ids, .. }) if file_ids.len() == 1));
    }
    s.uploads.evict(&key, "dead");
    for n in 1..=10 {
        s.finish(at(10), NotificationId::from_number(n), Finish::Again(Duration::ZERO), FileIds::new());
    }
    assert!(matches!(s.next(at(20)), Next::Send(Dispatch { file_ids, .. }) if file_ids.is_empty()));
    assert_eq!(s.next(at(20)), Next::Wait(None), "the other nine wait for it");
}

#[test]
fn what_never_left_costs_nothing() {
    let mut s = scheduler();
    for n in 1..=100 {
        s.push(at(0), ticket(n, n as i64, Lane::Normal));
    }
    for _ in 0..90 {
        let Next::Send(dispatch) = s.next(at(0)) else { panic!("the tokens were given back") };
        s.finish(at(0), dispatch.id, Finish::NotBegun(secs(5)), FileIds::new());
    }
}

#[test]
fn a_failed_first_user_passes_the_upload_on() {
    let mut s = scheduler();
    s.push(at(0), with_image(1, 1, 9));
    s.push(at(0), with_image(2, 2, 9));
    s.next(at(0));
    s.next(at(50));
    s.finish(at(100), NotificationId::from_number(1), Finish::Done, FileIds::new());
    assert_eq!(number(&s.next(at(100))), Some(2));
}

#[test]
fn a_chat_that_fills_the_window_is_deferred_to_its_turns_in_order() {
    let mut s = scheduler();
    let mut turns = Vec::new();
    for n in 1..=500 {
        if let Push::Defer(until) = s.push(at(0), ticket(n, 5, Lane::Normal)) {
            turns.push(until);
        }
    }
    assert_eq!(turns.len(), 440, "a minute's worth stays");
    assert!(turns.is_sorted());
    assert!(*turns.last().unwrap() - at(0) > secs(440));
    assert_eq!(s.push(at(0), ticket(600, 6, Lane::Normal)), Push::Taken, "another chat has its own share");
}

#[test]
fn a_deferred_one_is_not_overtaken_when_it_comes_back_late() {
    let mut s = scheduler();
    for n in 1..=60 {
        s.push(at(0), ticket(n, 5, Lane::Normal));
    }
    let Push::Defer(_) = s.push(at(0), ticket(61, 5, Lane::Normal)) else { panic!("the share is full") };
    let Push::Defer(_) = s.push(at(0), ticket(62, 5, Lane::Normal)) else { panic!("the share is full") };
    let mut now = at(0);
    let mut sent = Vec::new();
    for _ in 0..200 {
        now = now + Duration::from_millis(500);
        if sent.len() == 30 && s.chats.contains_key(&ChatId::Id(5)) {
            s.push(now, ticket(62, 5, Lane::Normal));
        }
        if let Some(n) = number(&s.next(now)) {
            sent.push(n);
            s.finish(now, NotificationId::from_number(n), Finish::Done, FileIds::new());
        }
        if sent.len() == 60 {
            break;
        }
    }
    assert_eq!(sent, (1..=60).collect::<Vec<_>>());
    s.push(now, ticket(61, 5, Lane::Normal));
    s.push(now, ticket(62, 5, Lane::Normal));
    assert_eq!(number(&s.next(now + secs(2))), Some(61));
}

#[test]
fn what_would_wait_too_long_is_given_back() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.push(at(0), ticket(n, 5, Lane::Normal));
    }
    s.next(at(0));
    s.finish(at(10), NotificationId::from_number(1), Finish::Flood(secs(3600)), FileIds::new());
    let given_back = s.overlong(at(10), &ChatId::Id(5));
    assert_eq!(given_back.len(), 3);
    assert!(given_back[0].1 >= at(3_600_010));
    assert!(matches!(s.push(at(20), ticket(4, 5, Lane::Normal)), Push::Defer(until) if until > at(3_000_000)));
    assert!(s.is_empty());
}

#[test]
fn a_migrated_chat_takes_its_waiting_notifications_along() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.push(at(0), ticket(n, -5, Lane::Normal));
    }
    s.next(at(0));
    s.finish(at(100), NotificationId::from_number(1), Finish::Migrated(ChatId::Id(-1005)), FileIds::new());
    assert_eq!(number(&s.next(at(200))), Some(1));
    assert!(s.flying.values().all(|(ticket, _)| ticket.chat == ChatId::Id(-1005)));
    assert_eq!(s.len(), 3);
}

#[test]
fn while_telegram_is_away_one_probe_goes_at_a_time() {
    let mut s = scheduler();
    for n in 1..=20 {
        s.push(at(0), ticket(n, n as i64, Lane::Normal));
    }
    for n in 1..=5 {
        let time = at(n as u64 * 100);
        assert!(matches!(s.next(time), Next::Send(_)));
        s.breaker.fault(time);
        s.finish(time, NotificationId::from_number(n), Finish::Again(secs(1)), FileIds::new());
    }
    let Next::Wait(Some(probe)) = s.next(at(600)) else { panic!("open") };
    assert!(matches!(s.next(probe), Next::Send(_)));
    assert_eq!(s.next(probe + secs(9)), Next::Wait(None));
}

#[test]
fn the_turn_of_a_ticket_is_foretold_by_its_place_the_pace_and_the_freezes() {
    let mut s = scheduler();
    assert_eq!(s.turn(at(0), &ticket(1, -5, Lane::Normal)), at(0), "an idle group is written to at once");
    for n in 1..=20 {
        s.push(at(0), ticket(n, -5, Lane::Normal));
    }
    assert_eq!(number(&s.next(at(0))), Some(1));
    let wait = s.turn(at(0), &ticket(21, -5, Lane::Normal)) - at(0);
    assert!(wait >= secs(58) && wait <= secs(64), "20 before it at 20 a minute: {wait:?}");
    assert!(s.turn(at(0), &ticket(11, -5, Lane::Normal)) < at(35_000), "one that is here has fewer before it");
    assert!(s.turn(at(0), &ticket(22, -5, Lane::Urgent)) < at(5_000), "nor do those of a lower lane count");
    assert!(s.turn(at(0), &ticket(23, 9, Lane::Normal)) < at(200), "another chat waits for the bot alone");
    s.finish(at(100), NotificationId::from_number(1), Finish::Flood(secs(3600)), FileIds::new());
    assert!(s.turn(at(200), &ticket(24, -5, Lane::Urgent)) >= at(3_600_000), "a freeze is waited for");
}

#[test]
fn an_album_waits_for_the_upload_of_any_of_its_images_and_lands_all_of_its_own() {
    let mut s = Scheduler::new(RateLimits { bot_rate: 0.0, chat_rate: 0.0, group_rate_per_minute: 0 }, 1000);
    let album = |number: u128, chat, contents: &[u8]| {
        let images = contents.iter().flat_map(|content| with_image(1, 1, *content).images).collect();
        Ticket { images, cost: 2, ..ticket(number, chat, Lane::Normal) }
    };
    s.push(at(0), album(1, 1, &[1, 2]));
    s.push(at(0), album(2, 2, &[2, 3]));
    s.push(at(0), album(3, 3, &[4, 5]));
    assert_eq!([number(&s.next(at(0))), number(&s.next(at(0)))], [Some(1), Some(3)], "the second waits for an image");
    assert_eq!(s.next(at(0)), Next::Wait(None));
    let learnt: FileIds = album(1, 1, &[1, 2]).images.into_iter().map(|(key, _)| (key, "f".to_owned())).collect();
    s.finish(at(10), NotificationId::from_number(1), Finish::Done, learnt);
    let Next::Send(dispatch) = s.next(at(10)) else { panic!("it may go now") };
    assert_eq!(
        (dispatch.id, dispatch.file_ids.len()),
        (NotificationId::from_number(2), 1),
        "one is known, one uploads"
    );
}

#[test]
fn what_expired_on_its_way_back_is_not_waited_for() {
    let mut s = scheduler();
    let deferred = (1..=500).filter(|n| s.push(at(0), ticket(*n, -5, Lane::Normal)) != Push::Taken).count();
    assert!(deferred > 400);
    let newest = ticket(1_000, -5, Lane::Normal);
    assert!(s.turn(at(0), &newest) > at(1_000_000), "all of them come before it");
    for n in 1..=500 {
        s.remove(at(1), &ChatId::Id(-5), NotificationId::from_number(n));
    }
    assert!(s.turn(at(1), &newest) < at(10_000));
    assert_eq!(s.push(at(1), newest), Push::Taken);
}
