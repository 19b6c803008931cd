//! What is paused is not sent, holds nobody back, and comes in order when it goes on.

use super::*;
use crate::domain::{BotPauses, Pause, Timestamp};

pub fn pauses(bot: bool, chats: &[i64]) -> BotPauses {
    let pause = Pause { since: Timestamp::from_unix_millis(0), client: None, reason: None };
    let chats = chats.iter().map(|chat| (ChatId::Id(*chat), pause.clone())).collect();
    BotPauses { bot: bot.then_some(pause), chats }
}

/// Sends all that can be sent by a moment, each answered at once.
fn send_until(s: &mut Scheduler, from: u64, until: u64) -> Vec<u128> {
    let mut sent = Vec::new();
    for millis in (from..until).step_by(10) {
        while let next @ NextSend::Now(_) = s.next(at(millis)) {
            let number = number(&next).unwrap();
            sent.push(number);
            s.finish(at(millis), NotificationId::from_number(number), NextStep::Done, FileIds::new(), true);
        }
    }
    sent
}

#[test]
fn a_paused_bot_sends_nothing_and_then_all_in_order() {
    let mut s = scheduler();
    s.set_paused(at(0), Some(&pauses(true, &[])));
    for n in 1..=20 {
        s.enqueue(at(0), job(n, 7 + (n % 2) as i64, Lane::Normal));
    }
    assert!(matches!(s.next(at(60_000)), NextSend::Wait(None)));
    s.set_paused(at(60_000), None);
    let sent = send_until(&mut s, 60_000, 90_000);
    let of = |chat: u128| sent.iter().filter(|n| **n % 2 == chat).copied().collect::<Vec<_>>();
    assert_eq!((of(0), of(1)), ((1..=10).map(|n| 2 * n).collect(), (0..10).map(|n| 2 * n + 1).collect()));
}

#[test]
fn a_paused_chat_keeps_its_place_and_its_limits() {
    let mut s = scheduler();
    for n in 1..=6 {
        s.enqueue(at(0), job(n, 7, Lane::Normal));
    }
    s.enqueue(at(0), job(10, 8, Lane::Normal));
    assert_eq!(number(&s.next(at(0))), Some(1));
    s.set_paused(at(10), Some(&pauses(false, &[7])));
    s.finish(at(20), NotificationId::from_number(1), NextStep::Retry(secs(1)), FileIds::new(), true);
    s.enqueue(at(30), job(7, 7, Lane::Urgent));
    assert_eq!(send_until(&mut s, 30, 20_000), [10]);
    s.set_paused(at(20_000), Some(&pauses(false, &[9])));
    assert_eq!(send_until(&mut s, 20_000, 20_050), [7, 1, 2], "a burst of three, and no more");
    assert_eq!(send_until(&mut s, 20_050, 30_000), [3, 4, 5, 6]);
}

#[test]
fn a_chat_that_is_not_here_yet_is_paused_all_the_same() {
    let mut s = scheduler();
    s.set_paused(at(0), Some(&pauses(false, &[7])));
    s.enqueue(at(0), job(1, 7, Lane::Normal));
    assert!(send_until(&mut s, 0, 5_000).is_empty());
    let turn = s.estimate_turn(at(5_000), &job(2, 7, Lane::Normal));
    assert!(turn >= at(5_000) + secs(60), "who waits is told that it may take a while");
    s.set_paused(at(5_000), None);
    assert_eq!(send_until(&mut s, 5_000, 5_050), [1]);
}

#[test]
fn a_paused_group_stays_paused_when_it_migrates() {
    let mut s = scheduler();
    s.enqueue(at(0), job(1, -7, Lane::Normal));
    s.enqueue(at(0), job(2, -7, Lane::Normal));
    assert_eq!(number(&s.next(at(0))), Some(1));
    s.set_paused(at(10), Some(&pauses(false, &[-7])));
    let migrated = NextStep::Migrate(ChatId::Id(-1_007));
    s.finish(at(20), NotificationId::from_number(1), migrated, FileIds::new(), true);
    assert!(send_until(&mut s, 20, 5_000).is_empty());
    s.set_paused(at(5_000), Some(&pauses(false, &[-1_007])));
    assert!(send_until(&mut s, 5_000, 10_000).is_empty());
    s.set_paused(at(10_000), None);
    assert_eq!(send_until(&mut s, 10_000, 20_000), [1, 2]);
}

/// However many they are: the first of each chat is always taken in.
#[test]
fn paused_chats_leave_room_in_the_window() {
    let mut s = Scheduler::new(RateLimits::default(), 100);
    let paused: Vec<i64> = (1..=1_000).collect();
    s.set_paused(at(0), Some(&pauses(false, &paused)));
    let mut away = Vec::new();
    for n in 1..=1_000 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
        away.extend(s.shed(at(0)));
        assert!(held(&s) <= 76, "{} of 100", held(&s));
    }
    assert!(away.iter().all(|deferred| deferred.until == at(30_000)));
    s.enqueue(at(10), job(5_000, 5_000, Lane::Normal));
    assert_eq!(send_until(&mut s, 10, 1_000), [5_000]);
    s.set_paused(at(1_000), None);
    let here = send_until(&mut s, 1_000, 29_000).len();
    for deferred in away {
        let n = (1..=1_000).find(|n| NotificationId::from_number(*n) == deferred.id).unwrap();
        let back = SendJob { number: Some(deferred.number), ..job(n, n as i64, Lane::Normal) };
        s.enqueue(at(30_000), back);
    }
    assert_eq!(here + send_until(&mut s, 30_000, 70_000).len(), 1_000);
}
