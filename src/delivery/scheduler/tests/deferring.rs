//! What goes back to the queue, and why nothing overtakes it.

use super::{at, held, job, number, scheduler, secs};
use crate::delivery::next_step::NextStep;
use crate::delivery::scheduler::{DeferredJob, EnqueueResult, Scheduler, SendJob};
use crate::domain::{ChatId, Lane, NotificationId};
use crate::ports::FileIds;
use crate::settings::RateLimits;

/// Sends all that may go from one second to another, each answered at once.
fn send_between(s: &mut Scheduler, from: u64, to: u64) -> Vec<u128> {
    let mut sent = Vec::new();
    for second in from..to {
        while let Some(n) = number(&s.next(at(second * 1_000))) {
            sent.push(n);
            s.finish(at(second * 1_000), NotificationId::from_number(n), NextStep::Done, FileIds::new(), true);
        }
    }
    sent
}

#[test]
fn a_chat_that_fills_the_window_is_deferred_to_its_turns_in_order() {
    let mut s = scheduler();
    let mut turns = Vec::new();
    for n in 1..=700 {
        if let EnqueueResult::Defer(deferred) = s.enqueue(at(0), job(n, 5, Lane::Normal)) {
            turns.push(deferred.until);
        }
    }
    assert_eq!(turns.len(), 200, "half of the window of 1,000 is for it");
    assert!(turns.is_sorted());
    assert!(*turns.last().unwrap() - at(0) > secs(640));
    assert_eq!(s.enqueue(at(0), job(600, 6, Lane::Normal)), EnqueueResult::Enqueued, "another chat has its own share");
}

#[test]
fn a_deferred_one_is_not_overtaken_however_late_it_comes_back() {
    let mut s = Scheduler::new(RateLimits::default(), 60);
    let mut deferred = Vec::new();
    for n in 1..=40 {
        if let EnqueueResult::Defer(job) = s.enqueue(at(0), job(n, 5, Lane::Normal)) {
            deferred.push((n, job));
        }
    }
    let (first, rest) = deferred.split_first().unwrap();
    let came_back =
        |n: u128, deferred: &DeferredJob| SendJob { number: Some(deferred.number), ..job(n, 5, Lane::Normal) };
    let mut sent = Vec::new();
    let mut run = |s: &mut Scheduler, from: u64, to: u64| {
        sent.extend(send_between(s, from, to));
        sent.clone()
    };
    let before = run(&mut s, 0, 60);
    assert_eq!(before, (1..first.0).collect::<Vec<_>>(), "those that were here");
    for (n, job) in rest {
        assert_eq!(s.enqueue(at(60_000), came_back(*n, job)), EnqueueResult::Enqueued, "{n}");
    }
    assert_eq!(run(&mut s, 60, 600), before, "they wait for the first, which is ten minutes late");
    s.enqueue(at(600_000), came_back(first.0, &first.1));
    assert_eq!(run(&mut s, 600, 700), (1..=40).collect::<Vec<_>>());
}

#[test]
fn whoever_waits_leaves_room_for_who_does_not() {
    let window = 4_000;
    let mut s = Scheduler::new(RateLimits::default(), window);
    let mut number = 0;
    for chat in 1..=300 {
        for _ in 0..100 {
            number += 1;
            s.enqueue(at(0), job(number, -chat, Lane::Normal));
        }
        s.shed(at(0));
        assert!(held(&s) < usize::from(window) * 3 / 4 + 100, "{} of {window} by {chat} chats", held(&s));
    }
    assert!(held(&s) < usize::from(window), "{} of {window}", held(&s));
    for chat in 1..=30 {
        assert_eq!(s.enqueue(at(0), job(number + chat as u128, chat, Lane::Normal)), EnqueueResult::Enqueued);
    }
}

#[test]
fn what_would_fill_the_memory_goes_back_whoever_sent_it() {
    let mut s = Scheduler::new(RateLimits::default(), 20_000);
    let large = |n: u128, chat| SendJob { bytes: 100_000, ..job(n, chat, Lane::Normal) };
    let taken = (1..=1_000).filter(|n| s.enqueue(at(0), large(*n, *n as i64)) == EnqueueResult::Enqueued).count();
    assert_eq!(taken, 167, "16 MiB");
}

#[test]
fn what_would_wait_too_long_is_given_back() {
    let mut s = scheduler();
    for n in 1..=3 {
        s.enqueue(at(0), job(n, 5, Lane::Normal));
    }
    s.next(at(0));
    s.finish(at(10), NotificationId::from_number(1), NextStep::FloodWait(secs(3600)), FileIds::new(), true);
    let given_back = s.take_long_waiting(at(10), &ChatId::Id(5));
    assert_eq!(given_back.len(), 3);
    assert!(given_back[0].until >= at(3_595_010));
    assert!(
        matches!(s.enqueue(at(20), job(4, 5, Lane::Normal)), EnqueueResult::Defer(deferred) if deferred.until > at(3_000_000))
    );
    assert_eq!(held(&s), 0);
}

#[test]
fn what_expired_on_its_way_back_is_not_waited_for() {
    let mut s = Scheduler::new(RateLimits::default(), 60);
    let mut deferred = Vec::new();
    for n in 1..=500 {
        if let EnqueueResult::Defer(away) = s.enqueue(at(0), job(n, -5, Lane::Normal)) {
            deferred.push((n, away.number));
        }
    }
    assert!(deferred.len() > 400);
    let newest = job(1_000, -5, Lane::Normal);
    assert!(s.estimate_turn(at(0), &newest) > at(1_000_000), "all of them come before it");
    for (n, number) in deferred {
        s.remove(at(1), &SendJob { number: Some(number), ..job(n, -5, Lane::Normal) });
    }
    (1..=500).for_each(|n| s.remove(at(1), &job(n, -5, Lane::Normal)));
    assert!(s.estimate_turn(at(1), &newest) < at(10_000));
    assert_eq!(s.enqueue(at(1), newest), EnqueueResult::Enqueued);
}

/// A broadcast makes each turn of a chat rare, but only for as long as it lasts.
#[test]
fn what_is_deferred_beside_a_broadcast_comes_back_when_that_is_over() {
    let mut s = Scheduler::new(RateLimits::default(), 4_000);
    for n in 1..=2_700 {
        s.enqueue(at(0), job(n, n as i64, Lane::Normal));
    }
    let turns = (1..=100).filter_map(|n| match s.enqueue(at(0), job(10_000 + n, 9_999, Lane::Normal)) {
        EnqueueResult::Enqueued => None,
        EnqueueResult::Defer(deferred) => Some(deferred.until - at(0)),
    });
    let turns: Vec<_> = turns.collect();
    assert!(turns.len() > 90, "{}", turns.len());
    let broadcast = secs(2_800 / 29);
    assert!(turns.iter().all(|turn| *turn < broadcast + secs(100)), "{turns:?}");
    assert!(turns[..50].iter().all(|turn| *turn <= broadcast.max(secs(60))), "its own turns pass meanwhile: {turns:?}");
}

#[test]
fn what_does_not_fit_into_the_bytes_comes_back_when_half_of_them_is_sent() {
    let mut s = Scheduler::new(RateLimits::default(), 20_000);
    let large = |n: u128| SendJob { bytes: 9_000, ..job(n, n as i64, Lane::Normal) };
    let turns = (1..=4_000).filter_map(|n| match s.enqueue(at(0), large(n)) {
        EnqueueResult::Enqueued => None,
        EnqueueResult::Defer(deferred) => Some(deferred.until - at(0)),
    });
    let turns: Vec<_> = turns.collect();
    assert!(turns.len() > 2_000 && turns.iter().all(|turn| *turn > secs(20) && *turn < secs(60)), "{turns:?}");
}

#[test]
fn a_copy_that_is_not_needed_leaves_nothing_to_wait_for() {
    let mut s = Scheduler::new(RateLimits::default(), 8);
    let deferred = |s: &mut Scheduler, n| match s.enqueue(at(0), job(n, 5, Lane::Normal)) {
        EnqueueResult::Enqueued => None,
        EnqueueResult::Defer(away) => Some(SendJob { number: Some(away.number), ..job(n, 5, Lane::Normal) }),
    };
    assert!((1..=4).all(|n| deferred(&mut s, n).is_none()));
    // A publisher was not sure and published it twice; both copies go back to the queue.
    let (first_copy, second_copy) = (deferred(&mut s, 5).unwrap(), deferred(&mut s, 5).unwrap());
    let mut sent = Vec::new();
    let mut run = |s: &mut Scheduler, from: u64, to: u64| {
        sent.extend(send_between(s, from, to));
        sent.clone()
    };
    assert_eq!(run(&mut s, 0, 9), [1, 2, 3, 4]);
    assert_eq!(s.enqueue(at(10_000), first_copy), EnqueueResult::Enqueued);
    assert_eq!(s.enqueue(at(10_000), job(6, 5, Lane::Normal)), EnqueueResult::Enqueued);
    assert_eq!(run(&mut s, 10, 30), [1, 2, 3, 4, 5], "6 waits for the second copy");
    s.note_return(at(30_000), &second_copy);
    assert_eq!(run(&mut s, 30, 32), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_waits_for_a_part_of_ours_makes_room_for_what_does_not() {
    let mut s = Scheduler::new(RateLimits { bot_rate: 0.0, ..RateLimits::default() }, 100);
    let mut given_back = 0;
    for n in 1..=500 {
        assert_eq!(s.enqueue(at(0), job(n, n as i64, Lane::Normal)), EnqueueResult::Enqueued, "{n}");
        assert_eq!(number(&s.next(at(0))), Some(n));
        s.finish(at(0), NotificationId::from_number(n), NextStep::AwaitPart(secs(128)), FileIds::new(), false);
        given_back += s.shed(at(0)).len();
        assert!(held(&s) < 100, "{n}");
    }
    assert!(given_back > 400);
    assert_eq!(s.wake_awaiting_part(at(1_000)), 500 - given_back, "those that are here go when it is back");
}

#[test]
fn only_so_many_bytes_are_in_flight() {
    let mut s = scheduler();
    for n in 1..=4 {
        let large = SendJob { bytes: 2 * 1024 * 1024, ..job(n, n as i64, Lane::Normal) };
        assert_eq!(s.enqueue(at(0), large), EnqueueResult::Enqueued);
    }
    let send = |s: &mut Scheduler, ms| number(&s.next(at(ms)));
    let begun = [send(&mut s, 0), send(&mut s, 100), send(&mut s, 200)];
    assert_eq!(begun, [Some(1), Some(2), None], "4 MiB are on their way");
    s.finish(at(300), NotificationId::from_number(1), NextStep::Done, FileIds::new(), true);
    assert_eq!([send(&mut s, 400), send(&mut s, 500)], [Some(3), None]);
}
